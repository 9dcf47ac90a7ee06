//! BuckyOS's doors: kRPC over HTTP, with the services `system_config` and `verify-hub`.
//!
//! Two listeners: one for `system_config` alone (3200 by default), and the node gateway (3180), which has every
//! service under `/kapi/<service>`. Path of a request: `rpc` -> host -> route -> method POST -> body within its
//! limits -> `krpc` -> the service -> access and the tree -> `krpc`. What it leaves to others: rules (access,
//! tree), the bytes of kRPC (`krpc`), the transport (`rpc`), routing to services elsewhere (`gateway`).
//!
//! Texts and statuses are those of the contract on kRPC (sections 2 to 4), session tokens (5 to 9), system_config
//! (2, 3, 10) and the gateway (8); where they differ from the program's, `docs/buckyos.md` says so.
//!
//! Invariants: whatever a request holds, it gets an answer and the connection stays; no service is reached before
//! the host was found to be ours; no answer and no log line holds a token or a password.

mod answer;
mod door;
mod error;
mod fault;
mod hosts;
mod params;
mod system_config;
mod transaction;
mod verify_hub;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use access::Access;
use rpc::{Limits, ListenAddress, Listener, Security, Serving};
use tasks::{Clock, Stopped, Tasks};

pub use error::Error;

use door::{Door, Route, Shared};
use hosts::Hosts;

/// Says where the doors stand and what they bear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The address of `system_config`.
    pub system_config: ListenAddress,
    /// The address of the node gateway.
    pub node_gateway: ListenAddress,
    /// The bounds of each listener and its connections.
    pub limits: Limits,
    /// How long a request's body may take to arrive.
    pub body_wait: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            system_config: ListenAddress::loopback(3200),
            node_gateway: ListenAddress::loopback(3180),
            limits: Limits::default(),
            body_wait: Duration::from_secs(15),
        }
    }
}

/// What the doors are made of.
pub struct Parts {
    /// Where they stand and what they bear. Addresses that others can reach were checked before: there is no
    /// encryption here.
    pub config: Config,
    /// Who may do what.
    pub access: Access,
    /// The tree that `system_config` shows.
    pub tree: tree::Handle,
    /// The zone's own host name first, then further names under which it is reached.
    pub hosts: Vec<String>,
    /// The clock.
    pub clock: Clock,
    /// The owner of the listeners' tasks.
    pub tasks: Tasks,
}

/// One address that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The listener's name, as in the configuration.
    pub name: &'static str,
    /// The address with its real port.
    pub address: SocketAddr,
}

/// The open doors.
#[derive(Debug)]
pub struct Handle {
    system_config: Serving,
    node_gateway: Serving,
}

/// Opens the doors.
///
/// # Errors
/// `Precondition` where an address cannot be taken.
pub async fn start(parts: Parts) -> Result<Handle, Error> {
    let Config {
        system_config,
        node_gateway,
        limits,
        body_wait,
    } = parts.config;
    let shared = Arc::new(Shared::new(
        parts.access,
        parts.tree,
        parts.clock,
        Hosts::new(&parts.hosts),
        body_wait,
    ));
    let open = async |name: &'static str, address| {
        let listener = Listener::bind(address, Security::Plain).await;
        listener.map_err(|source| Error::Open { name, source })
    };
    // Both addresses are taken before either is served.
    let first = open("buckyos.system_config", system_config).await?;
    let second = open("buckyos.node_gateway", node_gateway).await?;
    let serve = |listener, route| {
        let door = Door::new(Arc::clone(&shared), route);
        rpc::serve(listener, door, &parts.tasks, limits.clone())
    };
    Ok(Handle {
        system_config: serve(first, Route::SystemConfig),
        node_gateway: serve(second, Route::NodeGateway),
    })
}

impl Handle {
    /// Every address that is served, for the zone's own list of listeners.
    #[must_use]
    pub fn bound(&self) -> Vec<Bound> {
        vec![
            Bound {
                name: "buckyos.system_config",
                address: self.system_config.address(),
            },
            Bound {
                name: "buckyos.node_gateway",
                address: self.node_gateway.address(),
            },
        ]
    }

    /// Closes the doors: no new connection and no new call; running calls have `grace` to end.
    pub async fn stop(&self, grace: Duration) -> Stopped {
        let (one, two) = tokio::join!(self.system_config.stop(grace), self.node_gateway.stop(grace));
        let late = one.late.into_iter().chain(two.late).collect();
        Stopped { late }
    }
}
