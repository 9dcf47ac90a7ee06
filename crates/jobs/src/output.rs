//! The output of a job from an offset on, as it grows, until the job has ended.
//!
//! The files are read as the job's user, by the node that had the job. What it leaves to others: reading (port
//! [`crate::node::OnNode::read`]), keeping the files (they belong to the user).

use std::{sync::Arc, time::Duration};

use access::Permit;
use bytes::Bytes;
use confine::Account;
use futures::StreamExt as _;
use model::ErrorKind;

use crate::{
    Error, Handle, Inner, Output, State, Stream, Which, get::find, record::TOPIC, session::Sender,
    watch::present,
};

/// The shortest time between two looks, however much changes.
const AT_LEAST: Duration = Duration::from_millis(10);
/// How often a growing file is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

impl Handle {
    /// Gives chunks of an output with the place of each chunk's first byte, from `offset` on, until the job
    /// has ended and all is given. A job that never started has no output, and one that was cancelled may have none.
    ///
    /// # Errors
    /// `NotFound`: there is none with this number, or it is not within the permit. In the stream: what reading
    /// the file says, Unauthenticated when the session ends first, Unavailable when the zone stops first.
    pub async fn output(
        &self,
        permit: Permit<Output>,
        number: u32,
        which: Which,
        offset: u64,
    ) -> Result<Stream<(u64, Bytes)>, Error> {
        let found = find(&self.inner, &permit, number).await?;
        let lasting = permit.lasting();
        let follower = Follower {
            inner: Arc::clone(&self.inner),
            node_name: found.job.node_name.clone(),
            account: found.account,
            path: found.job.output_path(which),
            offset,
        };
        let id = found.job.id;
        Ok(
            self.while_signed_in(lasting, "jobs.output", move |sender| async move {
                let mut follower = follower;
                let mut changes = follower.inner.store.watch(TOPIC);
                loop {
                    // The state first: what was written before the end is then read after it.
                    let job = present(&follower.inner, id).await?;
                    let ended = job.state.has_ended();
                    // One that was cancelled may have ended before it had made its files.
                    let may_lack = !ended || job.state == State::Cancelled;
                    follower.node_name.clone_from(&job.node_name);
                    if job.started_at.is_some() && !follower.read_on(&sender, may_lack).await? || ended {
                        return Ok(());
                    }
                    tokio::time::sleep(AT_LEAST).await;
                    tokio::select! {
                        () = changes.changed() => {}
                        () = tokio::time::sleep(LOOK_AGAIN) => {}
                    }
                }
            }),
        )
    }
}

struct Follower {
    inner: Arc<Inner>,
    node_name: String,
    account: Account,
    path: String,
    offset: u64,
}

impl Follower {
    /// Gives what is there beyond the offset; false when nobody takes it any more.
    async fn read_on(&mut self, sender: &Sender<(u64, Bytes)>, may_lack: bool) -> Result<bool, Error> {
        let node = self.inner.node(&self.node_name).await?;
        let node = node.ok_or_else(|| Error::NodeGone {
            node: self.node_name.clone(),
        })?;
        let mut chunks = node.node.read(&self.account, &self.path, self.offset);
        while let Some(chunk) = chunks.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                // The file is made a moment after the job is known to run.
                Err(error) if error.kind() == ErrorKind::NotFound && may_lack => return Ok(true),
                Err(error) => return Err(error),
            };
            let place = self.offset;
            self.offset += u64::try_from(chunk.len()).unwrap_or(0);
            if !chunk.is_empty() && sender.send(Ok((place, chunk))).await.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
