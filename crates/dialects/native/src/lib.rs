//! Soke's own protocol: `soke.v1`.
//!
//! What it is for: what no other protocol of the zone has - signing in, users, jobs with their full record,
//! services, machines, money, the zone's state; and what tools ask of any listener, health and reflection. What it leaves to others: every rule. A call is decoded, its caller is
//! asked of `access`, the use case is called, the answer is encoded.
//!
//! Request path: `rpc` -> service here -> bearer -> `Access::authenticate` -> `Access::permit` -> fields -> use case.
//! The right is judged before the fields, so that a caller who may not make a call learns nothing of it.
//!
//! Invariants: no secret is compared, logged or kept here; what a caller reads of a failure is a code, a
//! sentence and, where fields are at fault, all of them at once.

mod account;
mod account_form;
mod audit;
mod fault;
mod health;
mod job;
mod job_form;
mod node;
mod page;
mod records;
mod reflection;
mod service;
mod session;
mod stamp;
mod user;
mod wallet;
mod zone;

use access::Access;
use tonic::service::{Routes, RoutesBuilder};
use tonic_health::pb::health_server::HealthServer;
use wire::soke::v1::{
    account_service_server::AccountServiceServer, audit_service_server::AuditServiceServer,
    job_service_server::JobServiceServer, node_service_server::NodeServiceServer,
    service_service_server::ServiceServiceServer, session_service_server::SessionServiceServer,
    user_service_server::UserServiceServer, zone_service_server::ZoneServiceServer,
};

pub use zone::{Bound, Check, Health, Zone};

use account::Accounts;
use audit::Trail;
use caller::Callers;
use health::ZoneHealth;
use job::Jobs;
use node::Nodes;
use service::Services;
use session::Sessions;
use user::Users;
use zone::ZoneState;

/// What the protocol is served from.
#[derive(Clone)]
pub struct Parts {
    /// Who callers are and what they may do.
    pub access: Access,
    /// Runs jobs.
    pub jobs: jobs::Handle,
    /// The zone's machines.
    pub nodes: nodes::Handle,
    /// Runs services.
    pub services: services::Handle,
    /// Who pays.
    pub accounts: accounts::Handle,
    /// What is known about the zone beside what the slices tell.
    pub zone: Zone,
}

/// Adds the services of this protocol to those of a listener.
pub fn add_to(routes: &mut RoutesBuilder, parts: Parts) {
    let Parts {
        access,
        jobs,
        nodes,
        services,
        accounts,
        zone,
    } = parts;
    let callers = Callers::new(access, "native");
    reflection::add_to(routes, &callers, zone.beside);
    routes.add_service(HealthServer::new(ZoneHealth {
        callers: callers.clone(),
        jobs: jobs.clone(),
        zone: zone.clone(),
    }));
    routes.add_service(SessionServiceServer::new(Sessions {
        callers: callers.clone(),
    }));
    routes.add_service(AuditServiceServer::new(Trail {
        callers: callers.clone(),
    }));
    routes.add_service(UserServiceServer::new(Users {
        callers: callers.clone(),
    }));
    routes.add_service(NodeServiceServer::new(Nodes {
        callers: callers.clone(),
        nodes,
    }));
    routes.add_service(ServiceServiceServer::new(Services {
        callers: callers.clone(),
        services,
    }));
    routes.add_service(AccountServiceServer::new(Accounts {
        callers: callers.clone(),
        accounts: accounts.clone(),
    }));
    routes.add_service(JobServiceServer::new(Jobs {
        callers: callers.clone(),
        jobs: jobs.clone(),
    }));
    routes.add_service(ZoneServiceServer::new(ZoneState {
        callers,
        jobs,
        accounts,
        zone,
    }));
}

/// The services of this protocol alone.
#[must_use]
pub fn routes(parts: Parts) -> Routes {
    let mut builder = Routes::builder();
    add_to(&mut builder, parts);
    builder.routes()
}
