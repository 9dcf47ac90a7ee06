//! Batch jobs: a queue, the life of each job, and its program on this machine, watched, measured and ended.
//!
//! Request path: door -> [`Handle`] with a permit -> a row and its change in one durable transaction ->
//! the reconciler (module `reconcile`) compares rows with what the node reports -> [`node::OnNode`] ->
//! a stage (crate `stage`) that outlives the server and writes how the job ended.
//! What it leaves to others: who may do it (crate `access`), who pays ([`Admission`]), as whom work is done (crate
//! `confine`), protocols (the dialects), reading files as users ([`node::ReadAsUser`]).
//!
//! The queue is a fair FIFO: the user with the fewest running cores comes first, where equal the one whose last turn
//! is longest ago, within a user the oldest job; a job that does not fit yet holds back those behind it on the nodes
//! that it waits for, so that no large job starves. It knows nodes, cores and memory, and no priorities.
//!
//! Invariants: a job is answered when its row is durable; its number counts from 1 and is never used again; the
//! end of a job is written once, and settled in the same transaction; a job is started at most once, on one node, and stays there; a node that is away
//! keeps its jobs; rows of jobs are kept.

mod action;
mod admission;
pub mod agent;
mod cancel;
mod draft;
mod error;
mod get;
mod job;
mod list;
pub mod node;
mod offered;
mod output;
mod reconcile;
mod record;
mod session;
mod state;
mod submit;
mod turn;
mod watch;

use std::sync::Arc;

use access::Access;
use futures::stream::BoxStream;
use model::Span;
use store::Store;
use tasks::{Clock, Tasks};

pub use action::{ACTIONS, Cancel, Get, List, Output, Submit};
pub use admission::{Admission, Admitted, Asked, Unpaid, Whole};
pub use draft::{ANYWHERE, Draft, Fault};
pub use error::Error;
pub use get::Counts;
pub use job::{Job, Which};
pub use list::{Filter, Page};
pub use offered::Offered;
pub use record::MIGRATIONS;
pub use state::State;

use node::{Known, Nodes};

/// Items as they come; an error is the last item.
pub type Stream<T> = BoxStream<'static, Result<T, Error>>;

/// What the zone decides about jobs.
#[derive(Debug, Clone)]
pub struct Config {
    /// The cluster's name.
    pub cluster: String,
    /// The time limit of a job that asks for none.
    pub default_time_limit: Span,
    /// The longest time limit that a job may ask for.
    pub most_time_limit: Span,
    /// Bytes of memory of a job that asks for none.
    pub default_memory_bytes: u64,
    /// The most jobs of one user that have not ended.
    pub most_unfinished: u32,
}

impl Default for Config {
    /// Cluster `local`, a day unless asked for, a year at most, 1 GiB, 10,000 unfinished jobs of one user.
    fn default() -> Self {
        Self {
            cluster: "local".to_owned(),
            default_time_limit: Span::from_secs(24 * 3600),
            most_time_limit: Span::from_secs(365 * 24 * 3600),
            default_memory_bytes: 1 << 30,
            most_unfinished: 10_000,
        }
    }
}

/// What the slice is built from.
pub struct Parts {
    /// Keeps the rows.
    pub store: Store,
    /// Says who owns the zone, and when a session ends.
    pub access: Access,
    /// Owns the reconciler.
    pub tasks: Tasks,
    /// Tells the time.
    pub clock: Clock,
    /// Do the work.
    pub nodes: Arc<dyn Nodes>,
    /// Says who pays.
    pub admission: Arc<dyn Admission>,
    /// The decisions.
    pub config: Config,
}

/// The use cases. Clones share everything.
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    access: Access,
    tasks: Tasks,
    clock: Clock,
    nodes: Arc<dyn Nodes>,
    admission: Arc<dyn Admission>,
    config: Config,
}

/// Opens the slice and starts its reconciler.
///
/// # Errors
/// The store cannot be read.
#[expect(clippy::unused_async, reason = "rooms start alike, and most of them wait")]
pub async fn start(parts: Parts) -> Result<Handle, Error> {
    let tasks = parts.tasks.child();
    let inner = Inner {
        store: parts.store,
        access: parts.access,
        tasks: tasks.clone(),
        clock: parts.clock,
        nodes: parts.nodes,
        admission: parts.admission,
        config: parts.config,
    };
    let handle = Handle {
        inner: Arc::new(inner),
    };
    reconcile::start(Arc::clone(&handle.inner), &tasks);
    Ok(handle)
}

impl Inner {
    /// The node of this name, where it is one of the zone's still.
    async fn node(&self, name: &str) -> Result<Option<Known>, Error> {
        let nodes = self.nodes.all().await?;
        Ok(nodes.into_iter().find(|known| known.name == name))
    }
}
