//! SCOW's protocol, portal side.
//!
//! What it is for: programs and pages that speak to SCOW's portal-server speak to a zone of Soke as they are: the
//! same packages, methods, statuses and trailers. What it leaves to others: every rule. A call is decoded, its
//! caller is asked of `access`, the use case is called, the answer is encoded.
//!
//! Request path: `rpc` -> service here -> bearer -> `Access::authenticate` -> `Access::permit` -> fields -> user and
//! cluster -> use case. Calls that are not written here answer UNIMPLEMENTED.
//!
//! Invariants: a request's `user_id` is never believed: it must name the bearer's own user; a trailer is ASCII
//! whatever a text holds; no answer is longer than a client takes.

mod common;
mod doors;
mod error;
mod fault;
mod file_service;
mod for_whom;
mod job_service;
mod portal;
mod row;
mod server;
mod submit;
mod text;
mod trouble;
mod upload;

use access::Access;
use tasks::Clock;
use tonic::service::{Routes, RoutesBuilder};

pub use doors::{Bound, Config, Doors, Handle, start};
pub use error::Error;

use common::Side;
use for_whom::Callers;

/// The most bytes of one answer: the limit that gRPC libraries put on a received message.
const MOST_ANSWER: usize = 4 * 1024 * 1024;

/// What the protocol is served from.
#[derive(Clone)]
pub struct Parts {
    /// Who callers are and what they may do.
    pub access: Access,
    /// Runs jobs.
    pub jobs: jobs::Handle,
    /// Knows who may pay with what.
    pub accounts: accounts::Handle,
    /// Reads and writes files and folders.
    pub files: files::Handle,
    /// The id of the zone's cluster, the one that `jobs` has.
    pub cluster: String,
    /// Tells how long a job has run.
    pub clock: Clock,
}

/// Adds the services of SCOW's portal to those of a listener at which users show their own bearers.
pub fn add_to(routes: &mut RoutesBuilder, parts: Parts) {
    let callers = Callers::new(parts.access.clone(), parts.cluster.clone());
    let (jobs, accounts) = (parts.jobs.clone(), parts.accounts.clone());
    common::add_to(routes, callers.clone(), jobs, accounts, Side::Portal);
    portal::add_to(routes, callers, parts);
}

/// The services of the portal's own door, without the listener.
#[must_use]
pub fn routes(parts: Parts) -> Routes {
    doors::portal_routes(parts)
}

/// What the protocol's management side is served from.
#[derive(Clone)]
pub struct Management {
    /// Who callers are and what they may do.
    pub access: Access,
    /// Knows who pays, and what.
    pub accounts: accounts::Handle,
    /// Runs jobs.
    pub jobs: jobs::Handle,
    /// The id of the zone's cluster, the one that `jobs` and `accounts` have.
    pub cluster: String,
    /// Tells how long a job has run.
    pub clock: Clock,
}

/// The services of the management side's own door, without the listener.
#[must_use]
pub fn management(parts: Management) -> Routes {
    doors::server_routes(parts)
}

/// Services of which no call is written: each answers UNIMPLEMENTED.
struct Unwritten;
