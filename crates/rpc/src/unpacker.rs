//! Large compressed messages, unpacked beside the runtime.
//!
//! What it leaves to others: which messages are large, and how many there may be (`framing`). A few KiB can be packed
//! so that unpacking them takes milliseconds; done where calls run, a few hundred of them a second would hold up every
//! other call of the zone.

use std::sync::{
    Arc, OnceLock,
    mpsc::{Receiver, SyncSender, sync_channel},
};

use bytes::Bytes;
use tasks::{Policy, Tasks};
use tokio::sync::oneshot;

use crate::{
    framing::framed,
    gzip::{self, Fault},
};

/// How many messages may wait; more are refused.
const WAITING: usize = 256;

/// A thread that unpacks, started for the first message that needs it. Clones share it, and it ends with the last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unpacker(Arc<OnceLock<Option<SyncSender<Job>>>>);

#[derive(Debug)]
struct Job {
    packed: Bytes,
    most: u32,
    done: oneshot::Sender<Result<Bytes, Fault>>,
}

/// What comes of one message: the message behind its head. It fails where the thread is gone.
pub(crate) type Unpacking = oneshot::Receiver<Result<Bytes, Fault>>;

impl Unpacker {
    /// Begins to unpack a message of at most `most` bytes; nothing where too many wait.
    pub(crate) fn begin(&self, packed: Bytes, most: u32) -> Option<Unpacking> {
        let jobs = self.0.get_or_init(start).as_ref()?;
        let (done, unpacking) = oneshot::channel();
        jobs.try_send(Job { packed, most, done }).ok()?;
        Some(unpacking)
    }
}

fn start() -> Option<SyncSender<Job>> {
    let (sender, jobs) = sync_channel(WAITING);
    // It belongs to whoever holds the sender, and its calls have ended when there is none.
    let started = Tasks::new().thread("unpacks messages", Policy::MayEnd, move || work(&jobs));
    if let Err(error) = started {
        tracing::error!(%error, "there is no thread for large compressed messages: they are refused");
        return None;
    }
    Some(sender)
}

fn work(jobs: &Receiver<Job>) {
    while let Ok(Job { packed, most, done }) = jobs.recv() {
        if done.is_closed() {
            continue;
        }
        let unpacked = gzip::unpack(&packed, most).and_then(|message| {
            let length = u32::try_from(message.len()).map_err(|_over_32_bits| Fault::Long)?;
            Ok(framed(false, length, &message))
        });
        // Its call may have ended meanwhile.
        drop(done.send(unpacked));
    }
}
