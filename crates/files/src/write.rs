//! Puts a file in its place as the caller.
//!
//! What it leaves to others: the place, and that nothing is left of a file that does not come whole (the node).

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use access::Permit;
use bytes::Bytes;
use futures::{StreamExt as _, stream};

use crate::{Error, FilePath, Handle, Stream, Write, account};

impl Handle {
    /// Puts a file there with the bytes that come, and says how many there were. It is there, and on the disk, when this
    /// answers; a file of before is there until then, and stays where this fails or is dropped. A link at the path
    /// stays, and what it leads to is replaced. A file that is replaced keeps who may do what with it.
    ///
    /// # Errors
    /// `NotFound`: no folder is there. `Denied`: the user may not write there. `Invalid`: something else than a regular
    /// file is there. `Exhausted`: it is larger than the zone takes, or the disk is full. `Unauthenticated`: the session
    /// ended meanwhile. An error of `chunks`; and as for [`Handle::home`].
    pub async fn write(
        &self,
        permit: Permit<Write>,
        path: &FilePath,
        chunks: Stream<Bytes>,
    ) -> Result<u64, Error> {
        let object = format!("file {}", path.as_str());
        // Before the first byte, so that no change lacks its row; one that fails later has one too.
        let noted = permit.write(&self.store, move |tx| {
            tx.about(&object);
            Ok::<_, Error>(())
        });
        noted.await?;
        let session = permit.user()?.session;
        let account = account(&permit)?;
        let stopping = self.tasks.token();
        let sent = Arc::new(AtomicU64::new(0));
        let chunks = bounded(chunks, self.most_bytes, Arc::clone(&sent));
        let written = self.node.write(&account, path, chunks);
        tokio::select! {
            biased;
            () = stopping.cancelled() => return Err(Error::Stopping),
            () = self.access.until_revoked(session) => return Err(Error::SessionEnded),
            written = written => written?,
        }
        Ok(sent.load(Ordering::Relaxed))
    }
}

/// The chunks as long as they are no more than a file may hold, and how many bytes there were.
fn bounded(chunks: Stream<Bytes>, most_bytes: u64, sent: Arc<AtomicU64>) -> Stream<Bytes> {
    let checked = chunks.map(move |chunk| {
        let chunk = chunk?;
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        let all = sent.load(Ordering::Relaxed).saturating_add(length);
        sent.store(all, Ordering::Relaxed);
        if all > most_bytes {
            return Err(Error::TooLarge { most_bytes });
        }
        Ok(chunk)
    });
    // Nothing after an error: the rest is not worth receiving.
    let until_error = stream::unfold(Some(checked), |checked| async {
        let mut checked = checked?;
        let chunk = checked.next().await?;
        let rest = chunk.is_ok().then_some(checked);
        Some((chunk, rest))
    });
    until_error.boxed()
}
