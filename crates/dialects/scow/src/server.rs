//! SCOW's management side: the first start, users, accounts, prices, payments, charges and ended jobs.
//!
//! What it is for: programs and pages that speak to SCOW's mis-server speak to a zone as they are. What it leaves to
//! others: every rule (`accounts`, `jobs`), and who calls (`for_whom`).
//!
//! Request path: caller -> right -> fields, all faults at once -> use case. The calls that are not written answer
//! UNIMPLEMENTED.

mod account;
mod admin;
mod charging;
mod config;
mod fault;
mod fields;
mod init;
mod job;
mod money;
mod paging;
mod payment;
mod price;
mod row;
mod running;
mod tenant;
mod user;

use access::{Action, Permit};
use model::ErrorKind;
use prost::Message;
use tasks::Clock;
use tonic::{Request, Status, service::RoutesBuilder};
use wire::scow::server::{
    account_service_server::AccountServiceServer,
    admin_service_server::AdminServiceServer,
    charging_service_server::ChargingServiceServer,
    config_service_server::ConfigServiceServer,
    export_service_server::{ExportService, ExportServiceServer},
    init_service_server::InitServiceServer,
    job_charge_limit_service_server::{JobChargeLimitService, JobChargeLimitServiceServer},
    job_service_server::JobServiceServer,
    tenant_service_server::TenantServiceServer,
    user_service_server::UserServiceServer,
};

use crate::{MOST_ANSWER, Unwritten, for_whom::Callers};

/// What the calls of the management side are served from.
#[derive(Clone)]
pub(crate) struct Management {
    /// Who callers are and what they may do.
    pub(crate) callers: Callers,
    /// Knows who pays, and what.
    pub(crate) accounts: accounts::Handle,
    /// Runs jobs.
    pub(crate) jobs: jobs::Handle,
    /// Tells how long a job has run.
    pub(crate) clock: Clock,
}

impl ExportService for Unwritten {}
impl JobChargeLimitService for Unwritten {}

/// Adds the services of `scow.server` to those of a listener.
pub(crate) fn add_management(routes: &mut RoutesBuilder, parts: Management) {
    routes.add_service(InitServiceServer::new(parts.clone()));
    routes.add_service(UserServiceServer::new(parts.clone()));
    routes.add_service(TenantServiceServer::new(parts.clone()));
    routes.add_service(AccountServiceServer::new(parts.clone()));
    routes.add_service(ChargingServiceServer::new(parts.clone()));
    routes.add_service(JobServiceServer::new(parts.clone()));
    routes.add_service(AdminServiceServer::new(parts.clone()));
    routes.add_service(ConfigServiceServer::new(parts));
    routes.add_service(JobChargeLimitServiceServer::new(Unwritten));
    routes.add_service(ExportServiceServer::new(Unwritten));
}

impl Management {
    /// Whether the caller may do `A`, and what is asked.
    async fn permit<A: Action, T>(&self, request: Request<T>) -> Result<(Permit<A>, T), Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit(&metadata, &extensions).await?;
        Ok((permit, message))
    }
}

/// Gives the rows back as long as one answer can hold them.
fn fitting<T: Message>(rows: Vec<T>) -> Result<Vec<T>, Status> {
    // One more for a field's key, four for the length.
    let length: usize = rows.iter().map(|row| row.encoded_len() + 5).sum();
    if length > MOST_ANSWER {
        let text = "more rows than fit into one answer (4 MiB): ask for fewer of them";
        return Err(wire::status(ErrorKind::Exhausted, text));
    }
    Ok(rows)
}
