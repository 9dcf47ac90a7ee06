//! The services of `scow.portal`: which are written, and which answer UNIMPLEMENTED.
//!
//! What it leaves to others: the calls themselves (`job_service`, `file_service`), and who makes them (`for_whom`).

use tonic::service::RoutesBuilder;
use wire::scow::portal::{
    app_service_server::{AppService, AppServiceServer},
    config_service_server::{ConfigService, ConfigServiceServer},
    dashboard_service_server::{DashboardService, DashboardServiceServer},
    desktop_service_server::{DesktopService, DesktopServiceServer},
    file_service_server::FileServiceServer,
    job_service_server::JobServiceServer,
    shell_service_server::{ShellService, ShellServiceServer},
};

use crate::{Parts, Unwritten, file_service::Files, for_whom::Callers, job_service::Jobs};

impl AppService for Unwritten {}
impl ConfigService for Unwritten {}
impl DashboardService for Unwritten {}
impl DesktopService for Unwritten {}
impl ShellService for Unwritten {}

/// Adds the services to those of a listener.
pub(crate) fn add_to(routes: &mut RoutesBuilder, callers: Callers, parts: Parts) {
    let Parts {
        access: _,
        jobs,
        accounts,
        files,
        cluster: _,
        clock,
    } = parts;
    routes.add_service(JobServiceServer::new(Jobs {
        callers: callers.clone(),
        jobs,
        accounts,
        clock,
    }));
    routes.add_service(FileServiceServer::new(Files { callers, files }));
    routes.add_service(AppServiceServer::new(Unwritten));
    routes.add_service(ConfigServiceServer::new(Unwritten));
    routes.add_service(DashboardServiceServer::new(Unwritten));
    routes.add_service(DesktopServiceServer::new(Unwritten));
    routes.add_service(ShellServiceServer::new(Unwritten));
}
