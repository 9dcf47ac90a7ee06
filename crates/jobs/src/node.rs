//! What this slice needs of the zone's nodes, in its own words.
//!
//! The local agent (module `agent`) does it on the machine that it runs on; the link brings it to the server.
//! What it leaves to others: which job runs where and when (module `reconcile`).

use std::sync::Arc;

use bytes::Bytes;
use confine::Account;
use futures::{future::BoxFuture, stream::BoxStream};
use model::{JobId, Span};
use stage::{Observed, Work};

use crate::Error;

/// What a node does for jobs. Every call may be repeated.
pub trait OnNode: Send + Sync + 'static {
    /// What the node is and offers, as far as it was heard of since the start.
    fn capacity(&self) -> Option<Capacity>;

    /// Whether the node can be asked now. One that is away keeps its jobs and gets no new ones.
    fn is_present(&self) -> bool;

    /// Starts a job. A job that is known already, running or ended, is not started again.
    fn start(&self, order: Order) -> BoxFuture<'_, Result<(), Error>>;

    /// Begins to end a job and everything it started. A job that is not known or has ended stays as it is.
    fn end(&self, job: JobId) -> BoxFuture<'_, Result<(), Error>>;

    /// Lists every job that the node knows of, ended ones until [`OnNode::forget`].
    fn observe(&self) -> BoxFuture<'_, Result<Vec<Report>, Error>>;

    /// Drops the record of a job that has ended and is written down elsewhere.
    fn forget(&self, job: JobId) -> BoxFuture<'_, Result<(), Error>>;

    /// Waits until [`OnNode::observe`] may say something new since the last such wait. Safe to cancel.
    fn changed(&self) -> BoxFuture<'_, ()>;

    /// Reads a file as a user from an offset on, up to its present end.
    fn read(&self, account: &Account, path: &str, offset: u64) -> BoxStream<'static, Result<Bytes, Error>>;
}

/// The nodes of the zone.
pub trait Nodes: Send + Sync + 'static {
    /// Every node of the zone, those that are away too. A job whose node is none of them is lost.
    fn all(&self) -> BoxFuture<'_, Result<Vec<Known>, Error>>;

    /// Waits until [`Nodes::all`] may say something new since the last such wait, be it that a node came back or went
    /// away. Safe to cancel.
    fn changed(&self) -> BoxFuture<'_, ()>;
}

/// A node of the zone.
#[derive(Clone)]
pub struct Known {
    /// Its name, never given to another one.
    pub name: String,
    /// Whether jobs that name no node run here.
    pub is_usual: bool,
    /// What it does.
    pub node: Arc<dyn OnNode>,
}

/// One node that is always there: a zone of one machine.
pub struct Alone(Known);

impl Alone {
    /// Makes this the only node, under this name.
    #[must_use]
    pub fn new(name: impl Into<String>, node: Arc<dyn OnNode>) -> Self {
        let name = name.into();
        Self(Known {
            name,
            is_usual: true,
            node,
        })
    }
}

impl Nodes for Alone {
    fn all(&self) -> BoxFuture<'_, Result<Vec<Known>, Error>> {
        Box::pin(std::future::ready(Ok(vec![self.0.clone()])))
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// Reads files as users on this machine; the files slice does it.
pub trait ReadAsUser: Send + Sync + 'static {
    /// Reads a file as a user from an offset on, up to its present end. A path that does not begin with a
    /// slash begins at the user's home.
    fn read(&self, account: &Account, path: &str, offset: u64) -> BoxStream<'static, Result<Bytes, Error>>;
}

/// What a node is and offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacity {
    /// The node's name.
    pub name: String,
    /// Cores that jobs may use together.
    pub cores: u32,
    /// Bytes of memory that jobs may use together.
    pub memory_bytes: u64,
    /// What this machine lacks for setting work apart, one sentence each.
    pub reduced: Vec<String>,
}

/// A job as a node must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The job.
    pub id: JobId,
    /// Its number in the cluster.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Whose work it is.
    pub account: Account,
    /// What is run.
    pub work: Work,
    /// Cores it counts with; told to the job, not enforced.
    pub cores: u32,
    /// Bytes of memory of all its processes together.
    pub memory_bytes: u64,
    /// How long it may run.
    pub time_limit: Span,
    /// Relative to the home.
    pub working_directory: String,
    /// Relative to the working directory.
    pub stdout_path: String,
    /// Relative to the working directory.
    pub stderr_path: String,
}

/// How one job stands on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The job.
    pub id: JobId,
    /// How it stands.
    pub observed: Observed,
}
