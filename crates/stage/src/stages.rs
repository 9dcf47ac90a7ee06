//! The agent's side: starts stages, finds them again after a restart, and reports how they stand.
//!
//! The truth is the folder of each piece of work: an order, who supervises it, how it ended. What is kept
//! in memory is only what the folders said last. A stage holds a lock on its order as long as it lives, so
//! that two agents, or an agent and its own past, never run the same work twice. What it leaves to others: the
//! stage itself (module `supervise`), what is ordered and what its end means (the slices).

mod adopt;
mod local;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use confine::cgroup;
use model::{Id, Timestamp};
use tasks::{Clock, Tasks};
use tokio::sync::Notify;

use crate::{Error, Exit, Folder, Spec};

/// How a piece of work stands on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// Its stage is there; the program does not run yet.
    Starting,
    /// The program runs.
    Running {
        /// Since this instant.
        started_at: Timestamp,
    },
    /// It has ended.
    Ended(Arc<Exit>),
    /// Its stage is gone without a record.
    Lost,
}

/// What the stages of one kind of work are looked after with.
pub struct Parts {
    /// Owns the watching tasks.
    pub tasks: Tasks,
    /// Tells the time.
    pub clock: Clock,
    /// Our own binary, which knows the hidden subcommand [`crate::SUBCOMMAND`].
    pub program: PathBuf,
    /// Holds a folder for each piece of work, named by its id; made when it is not there.
    pub folder: PathBuf,
    /// Where control groups can be made.
    pub base: Option<cgroup::Base>,
}

/// The stages of one kind of work on this machine. Clones are the same.
pub struct Stages<K> {
    inner: Arc<Inner<K>>,
}

impl<K> Clone for Stages<K> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

struct Inner<K> {
    tasks: Tasks,
    clock: Clock,
    program: PathBuf,
    folder: PathBuf,
    base: Option<cgroup::Base>,
    known: Mutex<BTreeMap<Id<K>, Observed>>,
    news: Notify,
}

impl<K: 'static> Stages<K> {
    /// Opens the folder and finds the work of an earlier agent: what runs is watched again, what has ended
    /// reported.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub async fn open(parts: Parts) -> Result<Self, Error> {
        let tasks = parts.tasks.child();
        let opened = tasks
            .blocking("stage.open", move || local::open(parts))
            .await
            .map_err(|_panicked| Error::Panicked)?;
        let (mut inner, found) = opened?;
        inner.tasks = tasks;
        let stages = Self {
            inner: Arc::new(inner),
        };
        for id in found {
            stages.adopt(id).await?;
        }
        Ok(stages)
    }

    /// Starts a piece of work with the order that `make` gives; where blocking is allowed. Work that is known
    /// already, running or ended, is not started again, and an order that is there already stays as it is.
    ///
    /// # Errors
    /// As `make` says, or a step of the system.
    pub async fn start(
        &self,
        id: Id<K>,
        make: impl FnOnce() -> Result<Spec, Error> + Send + 'static,
    ) -> Result<(), Error> {
        let stage = self
            .blocking("stage.start", move |inner| local::start(inner, id, make))
            .await?;
        if let Some(stage) = stage {
            self.watch_own(id, stage);
        }
        Ok(())
    }

    /// Begins to end a piece of work and everything it started. What is not known or has ended stays as it is.
    ///
    /// # Errors
    /// A step of the system.
    pub async fn end(&self, id: Id<K>) -> Result<(), Error> {
        self.blocking("stage.end", move |inner| local::end(inner, id))
            .await
    }

    /// All work that is known, ended work until [`Stages::forget`].
    #[must_use]
    pub fn observe(&self) -> Vec<(Id<K>, Observed)> {
        let known = self.inner.known();
        known
            .iter()
            .map(|(id, observed)| (*id, observed.clone()))
            .collect()
    }

    /// Drops the record of work that has ended and is written down elsewhere.
    ///
    /// # Errors
    /// A step of the system.
    pub async fn forget(&self, id: Id<K>) -> Result<(), Error> {
        self.blocking("stage.forget", move |inner| local::forget(inner, id))
            .await
    }

    /// Waits until [`Stages::observe`] may say something new since the last such wait. Safe to cancel.
    pub async fn changed(&self) {
        self.inner.news.notified().await;
    }

    /// The folder of one piece of work.
    #[must_use]
    pub fn folder_of(&self, id: Id<K>) -> Folder {
        self.inner.folder_of(id)
    }

    /// Runs a step that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        step: &'static str,
        work: impl FnOnce(&Inner<K>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(&self.inner);
        let done = self.inner.tasks.blocking(step, move || work(&inner)).await;
        done.map_err(|_panicked| Error::Panicked)?
    }
}

impl<K> Inner<K> {
    fn known(&self) -> MutexGuard<'_, BTreeMap<Id<K>, Observed>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder_of(&self, id: Id<K>) -> Folder {
        Folder::new(self.folder.join(id.to_string()))
    }

    /// Notes how a piece of work stands and wakes whoever waits where that is new.
    fn note(&self, id: Id<K>, observed: Observed) {
        let before = self.known().insert(id, observed.clone());
        if before.as_ref() != Some(&observed) {
            self.news.notify_one();
        }
    }
}
