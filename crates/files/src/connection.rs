//! The server half of one socket to a user's process: many answers at once, each at its reader's pace.
//!
//! What it leaves to others: which process is behind the socket (`node`), and what the answers mean. What
//! comes from the socket comes from a process that runs as a user: every frame is checked, and a breach of the
//! protocol ends the connection and nothing else.
//!
//! Two tasks per connection: one writes what the mailbox holds, one hands arriving parts to their readers. The
//! second never waits, because a reader's channel has room for all parts that were granted to its answer.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::StreamExt as _;
use tasks::{Policy, Tasks};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Stream,
    frame::{
        Answer, Ask, BadFrame, MOST_AT_ONCE, MOST_BODY, PREFIX, Say, WINDOW, What, Why, encode, head, lengths,
    },
};

/// One connection. The socket closes when this is dropped and when the process breaks the protocol.
#[derive(Debug)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
    patience: Duration,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    to_write: Notify,
    /// Cancelled once: nothing is written or handed out any more.
    closed: CancellationToken,
    /// Cancelled once an answer kept its reader waiting too long: fresh asks should go to another process.
    stalled: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    running: BTreeMap<u64, Running>,
    mailbox: Mailbox,
}

/// What waits to be written. Bounded by the answers under way: one ask, one window, one grant and one end for each.
#[derive(Debug, Default)]
struct Mailbox {
    asks: VecDeque<(Ask, Vec<u8>)>,
    /// What is to be written, in its order: at most a window of chunks and an end for each answer.
    bytes: VecDeque<(Ask, Bytes)>,
    grants: BTreeMap<u64, u32>,
    ends: BTreeSet<u64>,
}

#[derive(Debug)]
struct Running {
    events: mpsc::Sender<Event>,
    /// Held until the process says that the answer ended, wanted or not: its thread lives as long.
    _room: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Event {
    Part(Bytes),
    Done,
    Failed(Why),
}

/// One answer under way. Dropping it tells the process to stop.
#[derive(Debug)]
pub(crate) struct Reply {
    shared: Arc<Shared>,
    id: u64,
    events: mpsc::Receiver<Event>,
    patience: Duration,
    ended: bool,
}

impl Connection {
    /// Takes a connected socket. An answer that gives nothing for `patience` is given up.
    pub(crate) fn new(socket: UnixStream, tasks: &Tasks, patience: Duration) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            to_write: Notify::new(),
            closed: tasks.token().child_token(),
            stalled: CancellationToken::new(),
        });
        let (reading, writing) = socket.into_split();
        let writer = Arc::clone(&shared);
        tasks.spawn("files.ask", Policy::MayEnd, async move {
            tokio::select! {
                () = writer.closed.cancelled() => {}
                _gone = write_all(&writer, writing) => writer.closed.cancel(),
            }
        });
        let reader = Arc::clone(&shared);
        tasks.spawn("files.hear", Policy::MayEnd, async move {
            tokio::select! {
                () = reader.closed.cancelled() => {}
                _gone = hear_all(&reader, reading) => reader.closed.cancel(),
            }
            // Without a sender every reader sees that its answer is lost.
            reader.state().running.clear();
        });
        Self {
            shared,
            room: Arc::new(Semaphore::new(MOST_AT_ONCE)),
            patience,
        }
    }

    /// Asks; `path` is empty where the ask has none.
    pub(crate) async fn ask(&self, what: What, path: &[u8]) -> Result<Reply, Error> {
        let room = Arc::clone(&self.room).acquire_owned();
        let room = match tokio::time::timeout(self.patience, room).await {
            Ok(Ok(room)) => room,
            Ok(Err(_closed)) => return Err(Error::Lost),
            Err(_elapsed) => return Err(Error::Busy),
        };
        // All granted parts and the end fit, so that a sender never waits.
        let (events, receiver) = mpsc::channel(usize::try_from(WINDOW).unwrap_or(1) + 1);
        let id = {
            let mut state = self.shared.state();
            if self.is_closed() {
                return Err(Error::Lost);
            }
            let id = state.next;
            state.next += 1;
            state.running.insert(id, Running { events, _room: room });
            state.mailbox.asks.push_back((Ask { id, what }, path.to_vec()));
            id
        };
        self.shared.to_write.notify_one();
        Ok(Reply {
            shared: Arc::clone(&self.shared),
            id,
            events: receiver,
            patience: self.patience,
            ended: false,
        })
    }

    /// The connection is gone: ask another one.
    pub(crate) fn is_closed(&self) -> bool {
        self.shared.closed.is_cancelled()
    }

    /// The process lets its readers wait too long: ask another one.
    pub(crate) fn is_stalled(&self) -> bool {
        self.shared.stalled.is_cancelled()
    }

    /// No answer is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.shared.state().running.is_empty()
    }

    /// Resolves when the connection is gone.
    pub(crate) fn closed(&self) -> CancellationToken {
        self.shared.closed.clone()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.closed.cancel();
    }
}

impl Reply {
    /// The next part, or nothing after the last.
    ///
    /// Cancel-safe: a part is either handed out or still there.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if self.ended {
            return Ok(None);
        }
        let event = match tokio::time::timeout(self.patience, self.events.recv()).await {
            Ok(event) => event,
            Err(_elapsed) => {
                self.shared.stalled.cancel();
                return Err(Error::Stalled);
            }
        };
        match event {
            Some(Event::Part(part)) => {
                let mut state = self.shared.state();
                *state.mailbox.grants.entry(self.id).or_default() += 1;
                drop(state);
                self.shared.to_write.notify_one();
                Ok(Some(part))
            }
            Some(Event::Done) => {
                self.ended = true;
                Ok(None)
            }
            Some(Event::Failed(why)) => {
                self.ended = true;
                Err(Error::Refused { why })
            }
            None => {
                self.ended = true;
                Err(Error::Lost)
            }
        }
    }
}

impl Reply {
    fn send(&self, what: What, bytes: Bytes) {
        let mut state = self.shared.state();
        state.mailbox.bytes.push_back((Ask { id: self.id, what }, bytes));
        drop(state);
        self.shared.to_write.notify_one();
    }
}

/// Sends all chunks to an answer that waits for them, at the pace at which the process writes them, and waits until the
/// file is in its place. The process has said that it is ready.
pub(crate) async fn write(mut reply: Reply, mut chunks: Stream<Bytes>) -> Result<(), Error> {
    // Chunks of which the process has not said that they are written.
    let mut under_way = 0;
    while let Some(chunk) = chunks.next().await {
        let mut chunk = chunk?;
        while !chunk.is_empty() {
            if under_way == WINDOW {
                reply.next().await?.ok_or(Error::Lost)?;
                under_way -= 1;
            }
            let part = chunk.split_to(chunk.len().min(MOST_BODY));
            reply.send(What::Chunk, part);
            under_way += 1;
        }
    }
    reply.send(What::Whole, Bytes::new());
    while reply.next().await?.is_some() {
        // It says more than it was sent: it is not one of ours.
        under_way = u32::checked_sub(under_way, 1).ok_or(Error::Lost)?;
    }
    Ok(())
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.ended {
            let mut state = self.shared.state();
            if state.running.contains_key(&self.id) {
                state.mailbox.ends.insert(self.id);
                drop(state);
                self.shared.to_write.notify_one();
            }
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands one step of an answer to its reader.
    fn hand(&self, answer: Answer, body: Bytes) -> Result<(), BadFrame> {
        let mut state = self.state();
        let event = match answer.say {
            Say::Part => Event::Part(body),
            Say::Done => Event::Done,
            Say::Failed { why } => Event::Failed(why),
        };
        let last = !matches!(event, Event::Part(_));
        let running = state.running.get(&answer.id).ok_or(BadFrame)?;
        match running.events.try_send(event) {
            // A reader that is gone has asked for the end already.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            // More parts than were granted.
            Err(mpsc::error::TrySendError::Full(_)) => return Err(BadFrame),
        }
        if last {
            state.running.remove(&answer.id);
            state.mailbox.grants.remove(&answer.id);
            state.mailbox.ends.remove(&answer.id);
        }
        Ok(())
    }

    fn next_frame(&self) -> Option<Result<Vec<u8>, BadFrame>> {
        let mut state = self.state();
        let State { running, mailbox, .. } = &mut *state;
        if let Some((ask, path)) = mailbox.asks.pop_front() {
            return Some(encode(&ask, &path));
        }
        if let Some((ask, bytes)) = mailbox.bytes.pop_front() {
            return Some(if running.contains_key(&ask.id) {
                encode(&ask, &bytes)
            } else {
                Ok(Vec::new())
            });
        }
        let (id, what) = if let Some(id) = mailbox.ends.pop_first() {
            (id, What::End)
        } else {
            let (id, parts) = mailbox.grants.pop_first()?;
            (id, What::More { parts })
        };
        // What has ended meanwhile needs no word any more; the process would pass over it.
        if running.contains_key(&id) {
            Some(encode(&Ask { id, what }, &[]))
        } else {
            Some(Ok(Vec::new()))
        }
    }
}

async fn write_all(shared: &Shared, mut socket: OwnedWriteHalf) -> std::io::Result<()> {
    loop {
        // Registered before the look, so that no notice is missed; `notify_one` keeps one for later anyway.
        let notified = shared.to_write.notified();
        while let Some(frame) = shared.next_frame() {
            socket.write_all(&frame.map_err(std::io::Error::other)?).await?;
        }
        notified.await;
    }
}

async fn hear_all(shared: &Shared, mut socket: OwnedReadHalf) -> std::io::Result<()> {
    loop {
        let mut prefix = [0; PREFIX];
        socket.read_exact(&mut prefix).await?;
        let (head_length, body_length) = lengths(prefix).map_err(std::io::Error::other)?;
        let mut bytes = vec![0; head_length + body_length];
        socket.read_exact(&mut bytes).await?;
        let mut bytes = Bytes::from(bytes);
        let body = bytes.split_off(head_length);
        let answer: Answer = head(&bytes).map_err(std::io::Error::other)?;
        shared.hand(answer, body).map_err(std::io::Error::other)?;
    }
}

#[cfg(test)]
pub(crate) mod tests;
