//! The zone's front door: the one listener that browsers, clients and nodes come to.
//!
//! What it is for: TLS (and plain HTTP for programs on this machine), the check of the host that was asked
//! for, gRPC and gRPC-Web on one port, and a plain page that says what this is. What it leaves to others:
//! which services there are (they come in as values), who a caller is (`access`), transport and limits
//! (`rpc`).
//!
//! Path of a request: `rpc` -> host -> origin -> by content type to gRPC or gRPC-Web -> [`rpc::Calls`]; all
//! else is `/`, `/healthz` or 404.
//!
//! Invariants: no request reaches a service or a page before its host was found to be ours; a web page of
//! somebody else's reaches nothing; no answer made here holds a secret or fetches anything from elsewhere.

mod error;
mod gate;
mod hosts;
pub mod http_door;
mod page;
pub mod proxy;

use std::{net::SocketAddr, time::Duration};

use rpc::{CallLimits, Calls, Limits, ListenAddress, Listener, Security, Serving, TlsSource, link::Door};
use tasks::{Stopped, Tasks};
use tonic::service::Routes;

pub use error::Error;
use gate::Gate;
use hosts::Hosts;

/// Says where the front door stands and what it bears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The address of the native listener.
    pub listen: ListenAddress,
    /// The bounds of the listener and its connections.
    pub limits: Limits,
    /// The bounds of each gRPC call.
    pub call_limits: CallLimits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: ListenAddress::loopback(7443),
            limits: Limits::default(),
            call_limits: CallLimits::default(),
        }
    }
}

/// What the front door is made of.
pub struct Parts {
    /// Where it stands and what it bears.
    pub config: Config,
    /// The gRPC services that it serves.
    pub routes: Routes,
    /// The certificate; a swap in it needs no restart.
    pub tls: TlsSource,
    /// The host names under which the zone answers, its own first. This machine's loopback names and the
    /// address that a connection came to are always among them.
    pub allowed_hosts: Vec<String>,
    /// The entrance for links of machines, where there is one.
    pub links: Option<Door>,
    /// The owner of the listener's tasks.
    pub tasks: Tasks,
}

/// One address that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The listener's name, as in the configuration.
    pub name: &'static str,
    /// The address with its real port.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// The open front door.
#[derive(Debug)]
pub struct Handle {
    serving: Serving,
}

/// Opens the front door.
///
/// # Errors
/// Invalid when an allowed host is no host name; precondition when the address cannot be taken.
pub async fn start(parts: Parts) -> Result<Handle, Error> {
    let hosts = Hosts::new(&parts.allowed_hosts)?;
    let Config {
        listen,
        limits,
        call_limits,
    } = parts.config;
    let calls = Calls::new(parts.routes, call_limits);
    let gate = Gate::new(hosts, calls);
    let security = Security::TlsOrLocalPlain(parts.tls);
    let listener = Listener::bind(listen, security)
        .await
        .map_err(|source| Error::Open { source })?;
    let listener = match parts.links {
        Some(door) => listener.with_links(door),
        None => listener,
    };
    let serving = rpc::serve(listener, gate, &parts.tasks, limits);
    Ok(Handle { serving })
}

impl Handle {
    /// Every address that is served, for the zone's own list of listeners.
    #[must_use]
    pub fn bound(&self) -> Vec<Bound> {
        vec![Bound {
            name: "native",
            address: self.serving.address(),
            tls: true,
        }]
    }

    /// The address of the native listener.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    /// Closes the door: no new connection, no new call on a connection that stands; running calls have
    /// `grace` to end and are cut then.
    pub async fn stop(&self, grace: Duration) -> Stopped {
        self.serving.stop(grace).await
    }
}
