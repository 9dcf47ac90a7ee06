//! Services: long-running programs from manifests, started, watched, started again, stopped, and reached at a port.
//!
//! Request path: door -> [`Handle`] with a permit -> a row and its change in one durable transaction -> the
//! reconciler (module `reconcile`) compares rows with what each node reports -> [`node::OnNode`] -> a stage (crate
//! `stage`) that outlives the server. The node tells the port at which the process answers; [`Handle::endpoint`]
//! gives it to whoever carries requests.
//! What it leaves to others: who may do it (crate `access`), as whom work is done (crate `confine`), protocols (the
//! dialects), carrying requests (`gateway`), which machines there are ([`node::Nodes`]).
//!
//! Invariants: a service is answered when its row is durable; at most one process of a service runs; a process is
//! started at most once for each run that a row names; an endpoint is given only to the service's owner, and only
//! while its own process answers; what is stopped leaves no process, folder or control group behind.

mod action;
pub mod agent;
mod deploy;
mod endpoint;
mod error;
mod fetch;
mod get;
mod list;
mod manifest;
pub mod node;
mod place;
mod reconcile;
mod record;
mod service;
mod state;
mod stop;

use std::{net::Ipv4Addr, sync::Arc};

use model::Span;
use store::{Migration, Store};
use tasks::{Clock, Tasks};

pub use action::{ACTIONS, Deploy, DeployFrom, Get, List, Stop, Use};
pub use error::Error;
pub use fetch::{BadOrigin, Network, Origin};
pub use list::{Filter, Page};
pub use manifest::{Draft, Fault};
pub use service::{Endpoint, Service, Which};
pub use state::{Restart, State};

use node::Nodes;

/// The tables of this slice.
pub const MIGRATIONS: &[Migration] = &[Migration {
    room: "services",
    number: 1,
    sql: include_str!("../sql/0001_services.sql"),
}];

/// What the zone decides about services.
#[derive(Debug, Clone)]
pub struct Config {
    /// Bytes of memory of a service that asks for none.
    pub default_memory_bytes: u64,
    /// The most services of one user that are not stopped.
    pub most_unfinished: u32,
    /// When a process that ended by itself is started again.
    pub restart: Restart,
    /// The origins from which manifests may be fetched; none unless configured.
    pub manifest_sources: Vec<Origin>,
    /// The zone's own network, into which no fetch leads.
    pub own_network: Network,
}

impl Default for Config {
    /// 1 GiB, 100 services of one user, waits from 1 s to 60 s, nothing to fetch from.
    fn default() -> Self {
        Self {
            default_memory_bytes: 1 << 30,
            most_unfinished: 100,
            restart: Restart {
                first: Span::from_secs(1),
                longest: Span::from_secs(60),
                steady: Span::from_secs(60),
            },
            manifest_sources: Vec::new(),
            own_network: Network {
                address: Ipv4Addr::new(10, 77, 0, 0),
                bits: 16,
            },
        }
    }
}

/// What the slice is built from.
pub struct Parts {
    /// Keeps the rows.
    pub store: Store,
    /// Owns the reconciler.
    pub tasks: Tasks,
    /// Tells the time.
    pub clock: Clock,
    /// The machines that do the work.
    pub nodes: Arc<dyn Nodes>,
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
    tasks: Tasks,
    clock: Clock,
    nodes: Arc<dyn Nodes>,
    config: Config,
}

/// Opens the slice and starts its reconciler.
///
/// # Errors
/// None today; rooms start alike.
#[expect(clippy::unused_async, reason = "rooms start alike, and most of them wait")]
pub async fn start(parts: Parts) -> Result<Handle, Error> {
    let tasks = parts.tasks.child();
    let inner = Inner {
        store: parts.store,
        tasks: tasks.clone(),
        clock: parts.clock,
        nodes: parts.nodes,
        config: parts.config,
    };
    let handle = Handle {
        inner: Arc::new(inner),
    };
    place::start(Arc::clone(&handle.inner), &tasks);
    Ok(handle)
}
