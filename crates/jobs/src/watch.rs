//! Following a job until it has ended.
//!
//! What it leaves to others: its output (module `output`).

use std::sync::Arc;

use access::{Permit, SystemPermit};
use model::JobId;

use crate::{
    Error, Get, Handle, Inner, Job, Stream,
    get::find,
    record::{self, TOPIC},
};

impl Handle {
    /// Gives the job now and whenever it has changed, until it has ended. Changes that follow each other
    /// closely may be given as one.
    ///
    /// # Errors
    /// `NotFound`: there is none with this number, or it is not within the permit. In the stream: Unauthenticated
    /// when the session ends first, Unavailable when the zone stops first.
    pub async fn watch(&self, permit: Permit<Get>, number: u32) -> Result<Stream<Job>, Error> {
        let found = find(&self.inner, &permit, number).await?;
        let lasting = permit.lasting();
        let inner = Arc::clone(&self.inner);
        let id = found.job.id;
        Ok(
            self.while_signed_in(lasting, "jobs.watch", move |sender| async move {
                // Begun before the first look, so that no change falls between.
                let mut changes = inner.store.watch(TOPIC);
                let mut last: Option<Job> = None;
                loop {
                    changes.changed().await;
                    let job = present(&inner, id).await?;
                    if last.as_ref() != Some(&job) {
                        let ended = job.state.has_ended();
                        last = Some(job.clone());
                        if sender.send(Ok(job)).await.is_err() || ended {
                            return Ok(());
                        }
                    }
                }
            }),
        )
    }
}

/// The job as it stands now; the caller has already been found to be within its right.
pub(crate) async fn present(inner: &Inner, id: JobId) -> Result<Job, Error> {
    let permit = SystemPermit::new("jobs.watch");
    let read = permit.read(&inner.store, move |tx| record::by_id(tx, id));
    let record = read.await?.ok_or(Error::Row {
        what: "a watched job",
    })?;
    Ok(record.job)
}
