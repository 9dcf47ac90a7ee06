//! What this slice needs done on a node, and the doing of it on this machine: one process per user.
//!
//! A process is started at the first ask of its user, asked again as long as it lives, replaced when it ended
//! or lets its readers wait, and ended when nobody asked for a while. Their number is bounded: where all are
//! taken, the one that was idle longest makes room. What it leaves to others: what happens in the process
//! (`agent`), as whom it runs and what it sees (`confine`), who may ask.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::Child,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use confine::{Account, Confine, helper};
use futures::{StreamExt as _, TryStreamExt as _, future::BoxFuture};
use tasks::{Clock, Policy, Tasks};
use tokio::{
    net::UnixStream,
    sync::{OnceCell, OwnedSemaphorePermit, Semaphore},
};

use crate::{
    Entry, Error, FilePath, Stream,
    connection::{self, Connection, Reply},
    frame::What,
};

/// What this slice needs done on a node. The local machine does it here; a node behind the link does it there.
pub trait OnNode: Send + Sync + 'static {
    /// The home of an account, without links in it.
    fn home(&self, account: &Account) -> BoxFuture<'static, Result<String, Error>>;
    /// The entries of a folder, in bounded pages.
    fn list(&self, account: &Account, path: &FilePath) -> Stream<Vec<Entry>>;
    /// The bytes of a regular file from an offset on, in chunks of at most 256 KiB.
    fn read(&self, account: &Account, path: &FilePath, offset: u64) -> Stream<Bytes>;
    /// Puts a file there with these bytes, as a whole once they have all come, or not at all. An error of the chunks
    /// ends it and is its error; dropping it ends it too.
    fn write(
        &self,
        account: &Account,
        path: &FilePath,
        chunks: Stream<Bytes>,
    ) -> BoxFuture<'static, Result<(), Error>>;
}

/// How many processes there may be, and how long they may take.
#[derive(Debug, Clone)]
pub struct Config {
    /// The program to start: our own binary.
    pub program: PathBuf,
    /// What makes it the user's process: the hidden subcommand.
    pub arguments: Vec<String>,
    /// The most processes at once.
    pub most_processes: usize,
    /// How long a process without work is kept.
    pub idle: Duration,
    /// How long an answer may give nothing, and how long an ask waits for room.
    pub patience: Duration,
}

impl Config {
    /// What fits one machine: 64 processes, kept for a minute, 30 seconds of patience.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        Self {
            program,
            arguments: vec!["user-agent".to_owned()],
            most_processes: 64,
            idle: Duration::from_secs(60),
            patience: Duration::from_secs(30),
        }
    }
}

/// Reads and writes files on this machine, in one process per user. Clones share the processes.
#[derive(Debug, Clone)]
pub struct LocalNode {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    confine: Confine,
    tasks: Tasks,
    clock: Clock,
    seats: Mutex<BTreeMap<Key, Seat>>,
    room: Arc<Semaphore>,
}

/// What a process was started for; another Unix account of the same user is another process.
type Key = (u32, Option<String>, bool);

#[derive(Debug)]
struct Seat {
    process: Arc<OnceCell<Arc<Process>>>,
    last_used: Instant,
}

/// One process of a user. It ends when the last holder lets go.
#[derive(Debug)]
struct Process {
    connection: Connection,
}

impl LocalNode {
    /// Starts no process yet, only the task that ends idle ones.
    #[must_use]
    pub fn new(config: Config, confine: Confine, tasks: &Tasks, clock: Clock) -> Self {
        let room = Arc::new(Semaphore::new(config.most_processes));
        let inner = Arc::new(Inner {
            config,
            confine,
            tasks: tasks.child(),
            clock,
            seats: Mutex::default(),
            room,
        });
        let sweeper = Arc::downgrade(&inner);
        let (stopping, pause) = (tasks.token(), inner.config.idle / 2);
        tasks.spawn("files.idle", Policy::MayEnd, async move {
            loop {
                tokio::select! {
                    () = stopping.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                let Some(inner) = sweeper.upgrade() else { return };
                inner.end_idle();
            }
        });
        Self { inner }
    }

    /// How many processes there are now.
    #[must_use]
    pub fn processes(&self) -> usize {
        self.inner.config.most_processes - self.inner.room.available_permits()
    }

    fn answer(&self, account: &Account, what: What, path: &str) -> Stream<Bytes> {
        let begin = Step::Begin {
            inner: Arc::clone(&self.inner),
            account: account.clone(),
            what,
            path: path.to_owned(),
        };
        futures::stream::try_unfold(begin, Step::next).boxed()
    }
}

impl OnNode for LocalNode {
    fn home(&self, account: &Account) -> BoxFuture<'static, Result<String, Error>> {
        let parts = self.answer(account, What::Home, "");
        Box::pin(async move {
            let path: Vec<Bytes> = parts.try_collect().await?;
            Ok(String::from_utf8_lossy(&path.concat()).into_owned())
        })
    }

    fn list(&self, account: &Account, path: &FilePath) -> Stream<Vec<Entry>> {
        let pages = self.answer(account, What::List, path.as_str());
        let entries = pages.map(|page| Entry::decode_page(&page?).map_err(|_breach| Error::Lost));
        entries.boxed()
    }

    fn read(&self, account: &Account, path: &FilePath, offset: u64) -> Stream<Bytes> {
        self.answer(account, What::Read { offset }, path.as_str())
    }

    fn write(
        &self,
        account: &Account,
        path: &FilePath,
        chunks: Stream<Bytes>,
    ) -> BoxFuture<'static, Result<(), Error>> {
        let (inner, account, path) = (Arc::clone(&self.inner), account.clone(), path.clone());
        Box::pin(async move {
            let (opened, reply, process) = inner.begin_surely(&account, What::Write, path.as_str()).await?;
            opened.ok_or(Error::Lost)?;
            let written = connection::write(reply, chunks).await;
            drop(process);
            written
        })
    }
}

/// Where an answer stands.
enum Step {
    Begin {
        inner: Arc<Inner>,
        account: Account,
        what: What,
        path: String,
    },
    Going {
        reply: Reply,
        process: Arc<Process>,
    },
}

impl Step {
    async fn next(self) -> Result<Option<(Bytes, Step)>, Error> {
        let (first, reply, process) = match self {
            Step::Begin {
                inner,
                account,
                what,
                path,
            } => inner.begin_surely(&account, what, &path).await?,
            Step::Going { mut reply, process } => (reply.next().await?, reply, process),
        };
        Ok(first.map(|part| (part, Step::Going { reply, process })))
    }
}

impl Inner {
    fn seats(&self) -> MutexGuard<'_, BTreeMap<Key, Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the user's process and waits for the first part; once more where the process ended before it said anything,
    /// so that nothing was given twice.
    async fn begin_surely(
        self: &Arc<Self>,
        account: &Account,
        what: What,
        path: &str,
    ) -> Result<(Option<Bytes>, Reply, Arc<Process>), Error> {
        match self.begin(account, what, path).await {
            Err(Error::Lost) => self.begin(account, what, path).await,
            begun => begun,
        }
    }

    async fn begin(
        self: &Arc<Self>,
        account: &Account,
        what: What,
        path: &str,
    ) -> Result<(Option<Bytes>, Reply, Arc<Process>), Error> {
        let process = self.process(account).await?;
        let mut reply = process.connection.ask(what, path.as_bytes()).await?;
        let first = reply.next().await?;
        Ok((first, reply, process))
    }

    async fn process(self: &Arc<Self>, account: &Account) -> Result<Arc<Process>, Error> {
        let key = (account.number, account.unix_name.clone(), account.owner);
        let seat = {
            let mut seats = self.seats();
            let seat = seats.entry(key).or_insert_with(|| Seat {
                process: Arc::default(),
                last_used: self.clock.monotonic(),
            });
            seat.last_used = self.clock.monotonic();
            if seat.process.get().is_some_and(|process| process.is_spent()) {
                seat.process = Arc::default();
            }
            Arc::clone(&seat.process)
        };
        let process = seat.get_or_try_init(|| self.start(account)).await?;
        Ok(Arc::clone(process))
    }

    async fn start(self: &Arc<Self>, account: &Account) -> Result<Arc<Process>, Error> {
        let room = self.take_room().await?;
        let (inner, account) = (Arc::clone(self), account.clone());
        let started = self.tasks.blocking("files.start", move || inner.spawn(&account));
        let (child, socket) = started.await??;
        let socket = UnixStream::from_std(socket).map_err(Error::socket)?;
        let connection = Connection::new(socket, &self.tasks, self.config.patience);
        let closed = connection.closed();
        self.tasks.spawn("files.process", Policy::MayEnd, async move {
            closed.cancelled().await;
            end(child, room).await;
        });
        Ok(Arc::new(Process { connection }))
    }

    fn spawn(&self, account: &Account) -> Result<(Child, std::os::unix::net::UnixStream), Error> {
        let plan = self.confine.plan(account).map_err(Error::start)?;
        let arguments: Vec<&str> = self.config.arguments.iter().map(String::as_str).collect();
        let (child, socket) =
            helper::spawn_as(&plan, &self.config.program, &arguments).map_err(Error::start)?;
        socket.set_nonblocking(true).map_err(Error::socket)?;
        Ok((child, socket))
    }

    /// Waits for room. What becomes idle meanwhile makes room too, hence the looking again.
    async fn take_room(&self) -> Result<OwnedSemaphorePermit, Error> {
        const LOOK_AGAIN: Duration = Duration::from_millis(50);
        let waiting = async {
            loop {
                if self.room.available_permits() == 0 {
                    self.end_longest_idle();
                }
                let room = Arc::clone(&self.room).acquire_owned();
                if let Ok(Ok(room)) = tokio::time::timeout(LOOK_AGAIN, room).await {
                    return room;
                }
            }
        };
        let room = tokio::time::timeout(self.config.patience, waiting).await;
        room.map_err(|_elapsed| Error::Busy)
    }

    fn end_longest_idle(&self) {
        let mut seats = self.seats();
        let idle = seats
            .iter()
            .filter(|(_, seat)| seat.process.initialized() && seat.is_idle());
        let longest = idle.min_by_key(|(_, seat)| seat.last_used);
        if let Some(key) = longest.map(|(key, _)| key.clone()) {
            seats.remove(&key);
        }
    }

    fn end_idle(&self) {
        let now = self.clock.monotonic();
        self.seats().retain(|_, seat| {
            if !seat.is_idle() {
                seat.last_used = now;
            }
            now.saturating_duration_since(seat.last_used) < self.config.idle
        });
    }
}

impl Seat {
    /// Nothing is under way. A seat whose process did not start is idle too, once nobody tries to start it.
    fn is_idle(&self) -> bool {
        match self.process.get() {
            Some(process) => process.connection.is_idle() || process.is_spent(),
            None => Arc::strong_count(&self.process) == 1,
        }
    }
}

impl Process {
    fn is_spent(&self) -> bool {
        self.connection.is_closed() || self.connection.is_stalled()
    }
}

/// Ends a process whose socket is closed, waits until it is gone, and gives its room back.
async fn end(mut child: Child, room: OwnedSemaphorePermit) {
    const TRIES: u32 = 500;
    // It reads the end of its socket and ends by itself; what hangs in a file system is killed.
    for tried in 0..TRIES {
        match child.try_wait() {
            Ok(Some(_status)) => return drop(room),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "wait for the process that works for a user");
                return;
            }
        }
        if tried == 10
            && let Err(error) = child.kill()
        {
            tracing::warn!(%error, "end the process that works for a user");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tracing::warn!(
        pid = child.id(),
        "a process that works for a user does not end: its file system hangs"
    );
}
