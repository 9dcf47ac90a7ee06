//! The two listeners of SCOW's servers: the management side (7571) and the portal (7572).
//!
//! Each serves the packages of its own side and `scow.common`; the other side's calls are UNIMPLEMENTED there, as at
//! SCOW's two servers. Both are plain HTTP/2, because SCOW's clients know nothing else, and both take the tokens of
//! front ends beside users' own bearers. What it leaves to others: who is let in (`for_whom`, `access`).

use std::{net::SocketAddr, time::Duration};

use rpc::{CallLimits, Calls, Limits, ListenAddress, Listener, Security, Serving};
use tasks::{Stopped, Tasks};

use crate::{Error, Management, Parts, Side, common, for_whom::Callers, portal, server};

/// Says where the doors stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The address of the management side.
    pub server: ListenAddress,
    /// The address of the portal.
    pub portal: ListenAddress,
    /// The bounds of each listener and its connections.
    pub limits: Limits,
}

/// What the doors are made of.
pub struct Doors {
    /// Where they stand.
    pub config: Config,
    /// What the portal is served from.
    pub portal: Parts,
    /// What the management side is served from.
    pub management: Management,
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
    server: Serving,
    portal: Serving,
}

/// Opens the doors.
///
/// # Errors
/// `Precondition` where an address cannot be taken.
pub async fn start(doors: Doors) -> Result<Handle, Error> {
    let Doors {
        config,
        portal,
        management,
        tasks,
    } = doors;
    let open = async |name: &'static str, address: ListenAddress| {
        let listener = Listener::bind(address, Security::Plain).await;
        listener.map_err(|source| Error::Open { name, source })
    };
    // Both addresses are taken before either is served.
    let server_listener = open("scow.server", config.server).await?;
    let portal_listener = open("scow.portal", config.portal).await?;
    let serve = |listener, routes| {
        let calls = Calls::new(routes, CallLimits::default());
        rpc::serve(listener, calls, &tasks, config.limits.clone())
    };
    Ok(Handle {
        server: serve(server_listener, server_routes(management)),
        portal: serve(portal_listener, portal_routes(portal)),
    })
}

/// What stands at the portal's own door.
pub(crate) fn portal_routes(parts: Parts) -> tonic::service::Routes {
    let callers = Callers::new(parts.access.clone(), parts.cluster.clone()).with_front_ends();
    let mut routes = tonic::service::Routes::builder();
    let (jobs, accounts) = (parts.jobs.clone(), parts.accounts.clone());
    common::add_to(&mut routes, callers.clone(), jobs, accounts, Side::Portal);
    portal::add_to(&mut routes, callers, parts);
    routes.routes()
}

/// What stands at the management side's own door.
pub(crate) fn server_routes(parts: Management) -> tonic::service::Routes {
    let callers = Callers::new(parts.access, parts.cluster).with_front_ends();
    let mut routes = tonic::service::Routes::builder();
    let (jobs, accounts) = (parts.jobs.clone(), parts.accounts.clone());
    common::add_to(&mut routes, callers.clone(), jobs, accounts, Side::Server);
    let side = server::Management {
        callers,
        accounts: parts.accounts,
        jobs: parts.jobs,
        clock: parts.clock,
    };
    server::add_management(&mut routes, side);
    routes.routes()
}

impl Handle {
    /// Every address that is served, for the zone's own list of listeners.
    #[must_use]
    pub fn bound(&self) -> Vec<Bound> {
        let one = |name, serving: &Serving| Bound {
            name,
            address: serving.address(),
        };
        vec![one("scow.server", &self.server), one("scow.portal", &self.portal)]
    }

    /// Closes the doors: no new connection and no new call; running calls have `grace` to end.
    pub async fn stop(&self, grace: Duration) -> Stopped {
        let (one, two) = tokio::join!(self.server.stop(grace), self.portal.stop(grace));
        let late = one.late.into_iter().chain(two.late).collect();
        Stopped { late }
    }
}
