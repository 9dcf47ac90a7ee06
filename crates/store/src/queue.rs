//! The queue of closures that several threads share.
//!
//! What it leaves to others: running them (the engines).

use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::{Call, Error};

/// What waits for a thread.
pub(crate) enum Job {
    /// A closure that writes.
    Write(Box<dyn Call>),
    /// A closure that reads.
    Read(Box<dyn Call>),
    /// The store is closing: what was queued is still done, nothing comes after it.
    Stop,
}

/// Queues a job, waiting for a place where the queue is full.
pub(crate) async fn send(queue: &mpsc::Sender<Job>, job: Job) -> Result<(), Error> {
    queue.send(job).await.map_err(|_closed| Error::Closed)
}

/// Takes the next closure; nothing when the queue has ended. One thread waits on the queue at a time, the
/// others wait for their turn.
pub(crate) fn next(queue: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        match queue.blocking_recv() {
            Some(Job::Stop) => queue.close(),
            job => return job,
        }
    }
}
