//! Bytes between a stream of bytes and a stream of parts, the same on both ends of a tunnel.
//!
//! What it leaves to others: how a tunnel is opened. A side sends no more than [`WINDOW`] bytes that the other has not
//! yet taken, and always reads what comes: whatever does not fit the other's pace waits here and not in the link, where
//! it would hold up every other call.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    sync::{Semaphore, mpsc},
};
use tonic::Status;

use super::unavailable;

/// The most bytes that were sent and not yet taken, each way.
const WINDOW: usize = 256 * 1024;
/// The most bytes in one part.
const STEP: usize = 32 * 1024;
/// As many as permits.
const ROOM: u32 = 32 * 1024;
/// The most parts that wait for the link.
pub(crate) const WAITING: usize = 4;

/// What goes through a tunnel, either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Bytes; empty: no more will come.
    Data(Bytes),
    /// So many more bytes were taken.
    Taken(u32),
}

/// Carries bytes both ways until both have ended, or the other end is gone after it has sent its last.
///
/// # Errors
/// Unavailable where one of the two broke off.
pub(crate) async fn pump<I>(
    io: &mut I,
    parts: impl Stream<Item = Result<Part, Status>>,
    out: mpsc::Sender<Part>,
) -> Result<(), Status>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let (reading, writing) = split(io);
    let (credit, waiting) = (Semaphore::new(WINDOW), AtomicUsize::new(0));
    let (queue, queued) = mpsc::unbounded_channel();
    let mut sending = Box::pin(send(reading, &credit, &out));
    let mut taking = Box::pin(take(writing, queued, &waiting, &out));
    let mut receiving = Box::pin(receive(parts, queue, &credit, &waiting));
    let (mut sent, mut taken, mut received) = (false, false, false);
    while !(taken && (sent || received)) {
        tokio::select! {
            ended = &mut sending, if !sent => { ended?; sent = true; }
            ended = &mut taking, if !taken => { ended?; taken = true; }
            ended = &mut receiving, if !received => { ended?; received = true; }
        }
    }
    Ok(())
}

/// Reads bytes and sends them, as far as the other end has room.
async fn send(
    mut reading: impl AsyncRead + Unpin,
    credit: &Semaphore,
    out: &mpsc::Sender<Part>,
) -> Result<(), Status> {
    let mut block = vec![0; STEP];
    loop {
        let room = credit.acquire_many(ROOM).await;
        let room = room.map_err(|_never_closed| unavailable("the tunnel is closed"))?;
        let read = reading.read(&mut block).await.map_err(torn)?;
        room.forget();
        credit.add_permits(STEP - read);
        let data = Part::Data(Bytes::copy_from_slice(&block[..read]));
        out.send(data)
            .await
            .map_err(|_gone| unavailable("the other end is gone"))?;
        if read == 0 {
            return Ok(());
        }
    }
}

/// Writes what was received, and tells how much.
async fn take(
    mut writing: impl AsyncWrite + Unpin,
    mut queued: mpsc::UnboundedReceiver<Bytes>,
    waiting: &AtomicUsize,
    out: &mpsc::Sender<Part>,
) -> Result<(), Status> {
    while let Some(bytes) = queued.recv().await {
        if bytes.is_empty() {
            return writing.shutdown().await.map_err(torn);
        }
        writing.write_all(&bytes).await.map_err(torn)?;
        waiting.fetch_sub(bytes.len(), Ordering::AcqRel);
        let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        // After its last byte the other end may be gone.
        drop(out.send(Part::Taken(count)).await);
    }
    Err(unavailable("the other end broke off"))
}

/// Takes parts off the link as they come.
async fn receive(
    parts: impl Stream<Item = Result<Part, Status>>,
    queue: mpsc::UnboundedSender<Bytes>,
    credit: &Semaphore,
    waiting: &AtomicUsize,
) -> Result<(), Status> {
    let mut parts = Box::pin(parts);
    let mut ended = false;
    while let Some(part) = parts.next().await {
        match part? {
            Part::Data(_) if ended => return Err(unavailable("bytes came after the last")),
            Part::Data(bytes) => {
                ended = bytes.is_empty();
                let all = waiting.fetch_add(bytes.len(), Ordering::AcqRel) + bytes.len();
                if all > WINDOW {
                    return Err(unavailable("more bytes came than there is room for"));
                }
                // Who writes may have ended with the writing.
                drop(queue.send(bytes));
            }
            Part::Taken(count) => {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                if credit.available_permits().saturating_add(count) > WINDOW {
                    return Err(unavailable("more bytes were taken than were sent"));
                }
                credit.add_permits(count);
            }
        }
    }
    if ended {
        return Ok(());
    }
    Err(unavailable("the other end broke off"))
}

fn torn(error: std::io::Error) -> Status {
    unavailable(&format!("the connection broke: {error}"))
}
