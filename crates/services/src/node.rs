//! What this slice needs of the zone's machines and done on one of them, in its own words.
//!
//! The local agent (module `agent`) does it on its machine; a link to another machine does the same.
//! What it leaves to others: which service runs where and when (modules `place` and `reconcile`).

use std::{collections::BTreeMap, fmt, sync::Arc};

use confine::Account;
use futures::future::BoxFuture;
use model::{NodeId, RunId, ServiceId, Timestamp};
use stage::{Exit, Work};

use crate::Error;

/// The machines of the zone.
pub trait Nodes: Send + Sync + 'static {
    /// Lists every machine that is part of the zone, whether it is there now or away.
    fn machines(&self) -> BoxFuture<'_, Result<Vec<Machine>, Error>>;

    /// What does the work on a machine; none while it is away.
    fn on(&self, node: NodeId) -> Option<Arc<dyn OnNode>>;
}

/// A machine of the zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The machine.
    pub id: NodeId,
    /// Its name.
    pub name: String,
}

/// What a node does for services. Every call may be repeated.
pub trait OnNode: Send + Sync + 'static {
    /// Starts a run. One that is known already, running or ended, is not started again.
    fn start(&self, order: Order) -> BoxFuture<'_, Result<(), Error>>;

    /// Begins to end a run and everything it started. One that is not known or has ended stays as it is.
    fn end(&self, run: RunId) -> BoxFuture<'_, Result<(), Error>>;

    /// Lists every run that the node knows of, ended ones until [`OnNode::forget`].
    fn observe(&self) -> BoxFuture<'_, Result<Vec<Report>, Error>>;

    /// Drops the record of a run that has ended and is written down elsewhere.
    fn forget(&self, run: RunId) -> BoxFuture<'_, Result<(), Error>>;

    /// Waits until [`OnNode::observe`] may say something new since the last such wait. Safe to cancel.
    fn changed(&self) -> BoxFuture<'_, ()>;
}

/// One run of a service as a node must know it.
#[derive(Clone, PartialEq, Eq)]
pub struct Order {
    /// The run.
    pub run: RunId,
    /// The service.
    pub service: ServiceId,
    /// Its name.
    pub name: String,
    /// Whose work it is.
    pub account: Account,
    /// What is run.
    pub work: Work,
    /// The port at which it will answer; none: the node picks a free one. Told in `PORT`.
    pub port: Option<u16>,
    /// What it finds in its environment.
    pub environment: BTreeMap<String, String>,
    /// Relative to the home.
    pub working_directory: String,
    /// Where its output goes, relative to the home; what an earlier run wrote is kept beside it.
    pub log_path: String,
    /// What is asked over HTTP to see whether it answers; none: a connection is enough.
    pub health_path: Option<String>,
    /// Bytes of memory of all its processes together.
    pub memory_bytes: u64,
}

impl fmt::Debug for Order {
    /// Command and environment may hold secrets and stay unsaid.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("Order");
        form.field("run", &self.run).field("service", &self.service);
        form.finish_non_exhaustive()
    }
}

/// How one run stands on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The run.
    pub run: RunId,
    /// How it stands.
    pub observed: Observed,
}

/// How a run stands on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// Its stage is there; the program does not run yet.
    Starting,
    /// The program runs.
    Running {
        /// Since this instant.
        started_at: Timestamp,
        /// The port that it was told.
        port: u16,
        /// Why it does not answer there, in words; none: it answers.
        silent: Option<String>,
    },
    /// It has ended.
    Ended(Arc<Exit>),
    /// Its stage is gone without a record.
    Lost,
}
