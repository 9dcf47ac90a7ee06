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

mod fault;
mod file_service;
mod for_whom;
mod job_service;
mod row;
mod server;
mod submit;
mod text;
mod trouble;

use access::Access;
use tasks::Clock;
use tonic::service::{Routes, RoutesBuilder};
use wire::scow::{
    common::config_service_server::{
        ConfigService as CommonConfigService, ConfigServiceServer as CommonConfig,
    },
    portal::{
        app_service_server::{AppService, AppServiceServer},
        config_service_server::{ConfigService, ConfigServiceServer},
        dashboard_service_server::{DashboardService, DashboardServiceServer},
        desktop_service_server::{DesktopService, DesktopServiceServer},
        file_service_server::FileServiceServer,
        job_service_server::JobServiceServer,
        shell_service_server::{ShellService, ShellServiceServer},
    },
};

use file_service::Files;
use for_whom::Callers;
use job_service::Jobs;

/// The most bytes of one answer: the limit that gRPC libraries put on a received message.
const MOST_ANSWER: usize = 4 * 1024 * 1024;

/// What the protocol is served from.
#[derive(Clone)]
pub struct Parts {
    /// Who callers are and what they may do.
    pub access: Access,
    /// Runs jobs.
    pub jobs: jobs::Handle,
    /// Reads files and folders.
    pub files: files::Handle,
    /// The id of the zone's cluster, the one that `jobs` has.
    pub cluster: String,
    /// Tells how long a job has run.
    pub clock: Clock,
}

/// Adds the services of SCOW's portal to those of a listener.
pub fn add_to(routes: &mut RoutesBuilder, parts: Parts) {
    let Parts {
        access,
        jobs,
        files,
        cluster,
        clock,
    } = parts;
    let callers = Callers::new(access, cluster);
    routes.add_service(JobServiceServer::new(Jobs {
        callers: callers.clone(),
        jobs,
        clock,
    }));
    routes.add_service(FileServiceServer::new(Files { callers, files }));
    routes.add_service(AppServiceServer::new(Unwritten));
    routes.add_service(ConfigServiceServer::new(Unwritten));
    routes.add_service(DashboardServiceServer::new(Unwritten));
    routes.add_service(DesktopServiceServer::new(Unwritten));
    routes.add_service(ShellServiceServer::new(Unwritten));
    routes.add_service(CommonConfig::new(Unwritten));
}

/// The services of SCOW's portal alone.
#[must_use]
pub fn routes(parts: Parts) -> Routes {
    let mut builder = Routes::builder();
    add_to(&mut builder, parts);
    builder.routes()
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

/// The services of SCOW's management side alone.
#[must_use]
pub fn management(parts: Management) -> Routes {
    let mut builder = Routes::builder();
    let side = server::Management {
        callers: Callers::new(parts.access, parts.cluster),
        accounts: parts.accounts,
        jobs: parts.jobs,
        clock: parts.clock,
    };
    server::add_management(&mut builder, side);
    builder.routes()
}

/// Services of which no call is written: each answers UNIMPLEMENTED.
struct Unwritten;

impl AppService for Unwritten {}
impl ConfigService for Unwritten {}
impl DashboardService for Unwritten {}
impl DesktopService for Unwritten {}
impl ShellService for Unwritten {}
impl CommonConfigService for Unwritten {}
