//! The two queues of a store: closures that write and closures that read, each served by threads of their own.
//!
//! What it leaves to others: running them (the engines).

use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::{Call, Error, QUEUE};

/// What waits for a thread.
pub(crate) enum Job {
    /// A closure.
    Call(Box<dyn Call>),
    /// The store is closing: what was queued is still done, nothing comes after it.
    Stop,
}

/// The ends into which closures are put. They wait there for a place where a queue is full.
pub(crate) struct Queues {
    writes: mpsc::Sender<Job>,
    reads: mpsc::Sender<Job>,
}

/// The ends from which threads take them.
pub(crate) struct Ends {
    pub(crate) writes: mpsc::Receiver<Job>,
    pub(crate) reads: mpsc::Receiver<Job>,
}

impl Queues {
    pub(crate) fn new() -> (Self, Ends) {
        let (writes, to_write) = mpsc::channel(QUEUE);
        let (reads, to_read) = mpsc::channel(QUEUE);
        let ends = Ends {
            writes: to_write,
            reads: to_read,
        };
        (Self { writes, reads }, ends)
    }

    pub(crate) async fn write(&self, call: Box<dyn Call>) -> Result<(), Error> {
        let sent = self.writes.send(Job::Call(call)).await;
        sent.map_err(|_closed| Error::Closed)
    }

    pub(crate) async fn read(&self, call: Box<dyn Call>) -> Result<(), Error> {
        let sent = self.reads.send(Job::Call(call)).await;
        sent.map_err(|_closed| Error::Closed)
    }

    pub(crate) async fn stop(&self) {
        for queue in [&self.writes, &self.reads] {
            // A queue that has ended already needs no word.
            drop(queue.send(Job::Stop).await);
        }
    }
}

/// A queue's end that several threads share: one waits on it at a time, the others for their turn.
pub(crate) type SharedEnd = Mutex<mpsc::Receiver<Job>>;

/// Takes the next closure; nothing when the queue has ended.
pub(crate) fn next(queue: &SharedEnd) -> Option<Box<dyn Call>> {
    next_group(queue, 1)?.pop()
}

/// Takes the next closure and those that wait behind it, `most` together; nothing when the queue has ended.
pub(crate) fn next_group(queue: &SharedEnd, most: usize) -> Option<Vec<Box<dyn Call>>> {
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    let mut group = Vec::new();
    while group.len() < most {
        let job = if group.is_empty() {
            Some(queue.blocking_recv()?)
        } else {
            queue.try_recv().ok()
        };
        match job {
            Some(Job::Call(call)) => group.push(call),
            Some(Job::Stop) => queue.close(),
            None => break,
        }
    }
    Some(group)
}
