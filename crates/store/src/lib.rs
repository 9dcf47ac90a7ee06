//! The one source of truth: transactions, migrations and watches on SQLite or PostgreSQL.
//!
//! Work is a synchronous closure `|tx| ...`. On SQLite one writer thread drains its queue: a savepoint for
//! each closure, one durable commit for all of them, then the answers. On PostgreSQL two threads do the same with
//! serializable transactions, and run a closure again where another stood in the way. SQL is written once, with
//! `?1` placeholders and the types BIGINT, TEXT and BOOLEAN.
//!
//! What it leaves to others: who may write (crate `access`), tables and their meaning (each room's
//! migrations).
//!
//! Invariants: an answer is sent after the commit is durable; an error, a panic or a fault in one closure
//! undoes that closure and no other; revisions grow in the order in which transactions become visible and are
//! never used twice; no error and no debug text holds the address of the database server, a parameter or a
//! row.
//!
//! What differs between the engines, and how to write so that it does not matter: expected conflicts are
//! written as `ON CONFLICT`, because a failed statement ends the transaction; sums and counts are read as
//! `CAST(SUM(x) AS BIGINT)`; a NULL parameter whose type nothing tells is written `CAST(?1 AS TEXT)`; texts
//! sort by their bytes; `LIKE` minds case.

mod call;
mod counts;
mod error;
mod feed;
mod migrate;
mod placeholders;
mod postgres;
mod queue;
mod sqlite;
mod tx;
mod value;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use tasks::Tasks;

pub use counts::Counts;
pub use error::{Error, Fault};
pub use feed::{Change, Watch};
pub use migrate::Migration;
pub use tx::Tx;
pub use value::{FromValue, Row, Value};

use call::{Call, call};
use counts::Counters;
use feed::Feed;
use queue::Queues;

/// How many changes are kept for [`Watch::since`]; older ones are trimmed away from time to time.
const CHANGES_KEPT: i64 = 65_536;
/// How many changes more than [`CHANGES_KEPT`] may gather before they are trimmed.
const CHANGES_SLACK: i64 = 4_096;
/// How many closures may wait. When the queue is full, callers wait for a place in it, in order; a caller who
/// stops waiting leaves nothing behind.
const QUEUE: usize = 4_096;
/// How long [`Store::close`] waits for the threads.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);

/// Where the store keeps its rows.
#[derive(Debug, Clone)]
pub struct Config {
    /// The engine and its place.
    pub engine: Engine,
}

/// The engines.
#[derive(Clone)]
pub enum Engine {
    /// A file on this machine; nothing to install.
    Sqlite {
        /// The database file. Its folder is made where it is missing, for the owner only.
        path: PathBuf,
    },
    /// A PostgreSQL server, version 13 or newer.
    Postgres {
        /// `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`; a secret, so it is never shown.
        url: String,
        /// How many connections run closures, at least 2, of which two write; one more listens.
        connections: usize,
    },
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Engine::Sqlite { path } => f.debug_struct("Sqlite").field("path", path).finish(),
            Engine::Postgres { connections, .. } => f
                .debug_struct("Postgres")
                .field("connections", connections)
                .finish_non_exhaustive(),
        }
    }
}

/// A handle on the open store; clones share it. It closes when the last clone is gone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    engine: &'static str,
    /// Whether no other process writes.
    alone: bool,
    queues: Queues,
    feed: Arc<Feed>,
    counters: Arc<Counters>,
    tasks: Tasks,
}

/// What the store shares with its threads.
struct Shared {
    tasks: Tasks,
    feed: Arc<Feed>,
    counters: Arc<Counters>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.engine_name()).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The threads end with their queues; the token says that this is no fault.
        self.tasks.token().cancel();
    }
}

impl Store {
    /// Opens the store, making the database where it is missing, and applies the pending migrations.
    ///
    /// The order of `migrations` is the order in which they are applied. The store goes on when the token of
    /// `tasks` is cancelled, so that others can finish; [`Store::close`] or dropping the last clone ends it.
    ///
    /// # Errors
    /// Precondition: another process uses the file, the folder is open to others, the address cannot be read,
    /// the server does not fit, or the migrations do not match the database. Unavailable: the server is not
    /// reachable. Internal: anything else that keeps the engine from starting.
    pub async fn open(config: &Config, migrations: &[Migration], tasks: &Tasks) -> Result<Store, Error> {
        let tasks = tasks.child();
        let feed = Arc::new(Feed::default());
        let (config, migrations) = (config.clone(), migrations.to_vec());
        let counters = Arc::new(Counters::default());
        let shared = Shared {
            tasks: tasks.clone(),
            feed: Arc::clone(&feed),
            counters: Arc::clone(&counters),
        };
        let (engine, alone) = match config.engine {
            Engine::Sqlite { .. } => ("sqlite", true),
            Engine::Postgres { .. } => ("postgresql", false),
        };
        let open = move || match config.engine {
            Engine::Sqlite { path } => sqlite::open(&path, &migrations, &shared),
            Engine::Postgres { url, connections } => postgres::open(&url, connections, &migrations, &shared),
        };
        let opened = tasks.blocking("store.open", open).await;
        let queues = opened
            .map_err(|_panicked| Error::Panicked)
            .and_then(|queues| queues);
        if queues.is_err() {
            tasks.token().cancel();
        }
        let queues = queues?;
        let inner = Inner {
            engine,
            alone,
            queues,
            feed,
            counters,
            tasks,
        };
        Ok(Store {
            inner: Arc::new(inner),
        })
    }

    /// Runs a closure that writes, as one transaction; answers when its writes are durable.
    ///
    /// The closure may run more than once and has no side effects of its own. Where it answers an error, its
    /// writes are undone. Called by crate `access` only: everybody else holds a permit. A caller who stops
    /// waiting does not know whether the closure ran.
    ///
    /// # Errors
    /// The closure's own, or the store's: Conflict when others kept standing in the way; Unavailable when the
    /// database cannot be reached or cannot write now, or the outcome of the commit is not known; Internal
    /// when the closure panicked.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (call, answer) = call(work);
        self.inner.queues.write(call).await?;
        answer.await.unwrap_or_else(|_closed| Err(Error::Closed.into()))
    }

    /// Runs a closure that only reads, on one snapshot; it sees every write answered before.
    ///
    /// # Errors
    /// The closure's own, or the store's: Unavailable when the database cannot be reached; Internal when the
    /// closure panicked or asked for a write.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (call, answer) = call(work);
        self.inner.queues.read(call).await?;
        answer.await.unwrap_or_else(|_closed| Err(Error::Closed.into()))
    }

    /// Begins to watch a topic: see [`Tx::change`].
    #[must_use]
    pub fn watch(&self, topic: &str) -> Watch {
        Watch::new(self.clone(), &self.inner.feed, topic)
    }

    /// The engine's name: `sqlite` or `postgresql`.
    #[must_use]
    pub fn engine_name(&self) -> &'static str {
        self.inner.engine
    }

    /// What this store has committed since it was opened.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.inner.counters.read()
    }

    /// How many commits this store has made, where no other process can make one: what was read after this was asked
    /// is still so for as long as the number is the same. `None` where others write to the database too.
    #[must_use]
    pub fn commits_seen(&self) -> Option<u64> {
        self.inner.alone.then(|| self.inner.counters.read().commits)
    }

    /// Closes the store for every clone: what is queued is still done and answered, what comes later is
    /// refused. Returns when the threads have ended and the file is free, or after ten seconds.
    pub async fn close(self) {
        self.inner.tasks.token().cancel();
        self.inner.queues.stop().await;
        let stopped = self.inner.tasks.stop(CLOSE_WITHIN).await;
        if !stopped.late.is_empty() {
            tracing::warn!(late = ?stopped.late, "the store's threads do not end");
        }
    }
}
