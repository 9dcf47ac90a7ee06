//! The local node: starts stages, finds them again after a restart, and reports how jobs stand.
//!
//! The truth is the job's folder (`DATA/jobs/<id>`): an order, who supervises it, how it ended. What is kept
//! in memory is only what the folders said last. A stage holds a lock on its order as long as it lives, so
//! that two agents, or an agent and its own past, never run a job twice. What it leaves to others: the stage
//! (module `stage`), decisions (module `reconcile`).

mod adopt;
mod local;

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use confine::{Account, Confine, cgroup};
use futures::{FutureExt as _, future::BoxFuture, stream::BoxStream};
use model::{JobId, Span};
use tasks::{Clock, Tasks};
use tokio::sync::Notify;

use crate::{
    Error,
    node::{Capacity, Observed, OnNode, Order, ReadAsUser, Report},
};

/// What the owner of this machine decides about jobs on it.
#[derive(Debug, Clone)]
pub struct Config {
    /// The node's name.
    pub name: String,
    /// Cores for jobs; none: all of the machine.
    pub cores: Option<u32>,
    /// Bytes of memory for jobs; none: nine tenths of the machine's.
    pub memory_bytes: Option<u64>,
    /// Between asking a job to end and killing it.
    pub grace: Duration,
    /// The most processes and threads of one job.
    pub processes: u64,
    /// The most open files of one process.
    pub open_files: u64,
    /// The most bytes of one file that a job writes, output included.
    pub file_bytes: u64,
    /// Whether control groups are used where the machine has them.
    pub control_groups: bool,
}

impl Config {
    /// What fits most machines: all cores, nine tenths of the memory, 5 seconds of grace, 4096 processes,
    /// 65536 open files, files of at most 64 GiB.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            cores: None,
            memory_bytes: None,
            grace: Duration::from_secs(5),
            processes: 4096,
            open_files: 65_536,
            file_bytes: 64 << 30,
            control_groups: true,
        }
    }
}

/// What the local node is built from.
pub struct Parts {
    /// Owns the watching tasks.
    pub tasks: Tasks,
    /// Tells the time.
    pub clock: Clock,
    /// Plans as whom work is done.
    pub confine: Confine,
    /// Our own binary, which knows the hidden subcommand `stage`.
    pub program: PathBuf,
    /// The data folder of this machine's agent.
    pub data: PathBuf,
    /// Reads output files as their users.
    pub reader: Arc<dyn ReadAsUser>,
    /// The decisions.
    pub config: Config,
}

/// The local node. Clones are the same node.
#[derive(Clone)]
pub struct LocalNode {
    inner: Arc<Inner>,
}

struct Inner {
    tasks: Tasks,
    clock: Clock,
    confine: Confine,
    program: PathBuf,
    folder: PathBuf,
    reader: Arc<dyn ReadAsUser>,
    config: Config,
    capacity: Capacity,
    base: Option<cgroup::Base>,
    known: Mutex<BTreeMap<JobId, Observed>>,
    news: Notify,
}

impl LocalNode {
    /// Opens the node's folder and finds the jobs of an earlier agent: running ones are watched again, ended
    /// ones reported.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub async fn start(parts: Parts) -> Result<Self, Error> {
        let tasks = parts.tasks.child();
        let opened = tasks
            .blocking("jobs.open", move || local::open(parts))
            .await
            .map_err(|_panicked| Error::Panicked)?;
        let (mut inner, found) = opened?;
        inner.tasks = tasks;
        let node = Self {
            inner: Arc::new(inner),
        };
        for id in found {
            node.adopt(id).await?;
        }
        Ok(node)
    }

    /// Runs a step that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        step: &'static str,
        work: impl FnOnce(&Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(&self.inner);
        let done = self.inner.tasks.blocking(step, move || work(&inner)).await;
        done.map_err(|_panicked| Error::Panicked)?
    }
}

impl Inner {
    fn known(&self) -> MutexGuard<'_, BTreeMap<JobId, Observed>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how a job stands and wakes the reconciler where that is new.
    fn note(&self, id: JobId, observed: Observed) {
        let before = self.known().insert(id, observed.clone());
        if before.as_ref() != Some(&observed) {
            self.news.notify_one();
        }
    }
}

impl OnNode for LocalNode {
    fn capacity(&self) -> Capacity {
        self.inner.capacity.clone()
    }

    fn start(&self, order: Order) -> BoxFuture<'_, Result<(), Error>> {
        async move {
            let id = order.id;
            let stage = self
                .blocking("jobs.start", move |inner| local::start(inner, &order))
                .await?;
            if let Some(stage) = stage {
                self.watch_own(id, stage);
            }
            Ok(())
        }
        .boxed()
    }

    fn end(&self, job: JobId) -> BoxFuture<'_, Result<(), Error>> {
        self.blocking("jobs.end", move |inner| local::end(inner, job))
            .boxed()
    }

    fn observe(&self) -> BoxFuture<'_, Result<Vec<Report>, Error>> {
        let known = self.inner.known();
        let report = |(id, observed): (&JobId, &Observed)| Report {
            id: *id,
            observed: observed.clone(),
        };
        let reports = known.iter().map(report).collect();
        futures::future::ready(Ok(reports)).boxed()
    }

    fn forget(&self, job: JobId) -> BoxFuture<'_, Result<(), Error>> {
        self.blocking("jobs.forget", move |inner| local::forget(inner, job))
            .boxed()
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        self.inner.news.notified().boxed()
    }

    fn read(&self, account: &Account, path: &str, offset: u64) -> BoxStream<'static, Result<Bytes, Error>> {
        self.inner.reader.read(account, path, offset)
    }
}

fn step(step: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Node { step, source }
}

fn grace(config: &Config) -> Span {
    Span::from(config.grace)
}
