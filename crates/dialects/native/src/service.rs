//! `soke.v1.ServiceService`: services deployed, shown, listed and stopped.
//!
//! What it leaves to others: what a good manifest is and who may see which service (`services`), requests to services
//! (`gateway`).

use std::time::Duration;

use model::Name;
use services::{Deploy, Filter, Get, List, Service, State, Stop, Which};
use tonic::{Request, Response, Status};
use wire::{
    FieldFaults,
    soke::v1::{self, service_service_server::ServiceService},
};

use caller::Callers;

use crate::{fault, page, stamp::stamp};

/// The longest wait of one call.
const MOST_WAIT: Duration = Duration::from_secs(60);

/// Serves the calls about services.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) callers: Callers,
    pub(crate) services: services::Handle,
}

#[tonic::async_trait]
impl ServiceService for Services {
    async fn deploy_service(
        &self,
        request: Request<v1::DeployServiceRequest>,
    ) -> Result<Response<v1::DeployServiceResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Deploy>(&metadata, &extensions).await?;
        let mut faults = FieldFaults::new();
        for fault in self.services.faults(&message.manifest) {
            faults.add(fault::manifest_field(&fault), &fault.what, &fault.want);
        }
        let node = name(&mut faults, "node", &message.node);
        faults.finish()?;
        let deployed = self.services.deploy(permit, message.manifest, node).await;
        let service = deployed.map_err(fault::services)?;
        Ok(Response::new(v1::DeployServiceResponse {
            service: Some(encode(service)),
        }))
    }

    async fn get_service(
        &self,
        request: Request<v1::GetServiceRequest>,
    ) -> Result<Response<v1::GetServiceResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Get>(&metadata, &extensions).await?;
        let mut faults = FieldFaults::new();
        let wait = wait(&mut faults, message.wait);
        let which = which(faults, &message.service_id, &message.name)?;
        let service = match wait {
            Some(wait) => self.services.settled(&permit, which, wait).await,
            None => self.services.get(&permit, which).await,
        };
        Ok(Response::new(v1::GetServiceResponse {
            service: Some(encode(service.map_err(fault::services)?)),
        }))
    }

    async fn list_services(
        &self,
        request: Request<v1::ListServicesRequest>,
    ) -> Result<Response<v1::ListServicesResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<List>(&metadata, &extensions).await?;
        let filter = filter(&message)?;
        let page = self.services.list(&permit, filter).await;
        let page = page.map_err(fault::services)?;
        Ok(Response::new(v1::ListServicesResponse {
            services: page.services.into_iter().map(encode).collect(),
            next_page_token: page.next.map(|next| next.to_string()).unwrap_or_default(),
        }))
    }

    async fn stop_service(
        &self,
        request: Request<v1::StopServiceRequest>,
    ) -> Result<Response<v1::StopServiceResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Stop>(&metadata, &extensions).await?;
        let which = which(FieldFaults::new(), &message.service_id, &message.name)?;
        let stopped = self.services.stop(permit, which).await;
        let service = stopped.map_err(fault::services)?;
        Ok(Response::new(v1::StopServiceResponse {
            service: Some(encode(service)),
        }))
    }
}

/// Reads a name that may be left out.
fn name(faults: &mut FieldFaults, field: &str, text: &str) -> Option<Name> {
    if text.is_empty() {
        return None;
    }
    let name = text.parse::<Name>();
    if let Err(fault) = &name {
        faults.add(field, "is no name", fault.to_string());
    }
    name.ok()
}

/// Reads which service is meant; `faults` are those of the other fields.
fn which(mut faults: FieldFaults, service_id: &str, text: &str) -> Result<Which, Status> {
    let by_id = service_id.parse().ok();
    let by_name = name(&mut faults, "name", text);
    match (service_id.is_empty(), text.is_empty()) {
        (true, true) => faults.add("name", "is empty", "the name of a service, or service_id"),
        (false, false) => faults.add("service_id", "is given beside a name", "one of both"),
        (false, true) if by_id.is_none() => faults.add("service_id", "is no id", "the id of a service"),
        (false, true) | (true, false) => {}
    }
    match by_id.map(Which::Id).or(by_name.map(Which::Named)) {
        Some(which) if faults.is_empty() => Ok(which),
        _ => Err(faults.into_status()),
    }
}

fn wait(faults: &mut FieldFaults, asked: Option<prost_types::Duration>) -> Option<Duration> {
    // Not by the library's conversion, which panics at the least number of seconds.
    let asked = asked?;
    let (secs, nanos) = (u64::try_from(asked.seconds), u32::try_from(asked.nanos));
    let parts = secs.ok().zip(nanos.ok().filter(|nanos| *nanos < 1_000_000_000));
    let wait = parts.map(|(secs, nanos)| Duration::new(secs, nanos));
    let wait = wait.filter(|wait| *wait <= MOST_WAIT);
    faults.check(wait.is_some(), "wait", "is out of range", "0 to 60 seconds");
    wait
}

fn filter(message: &v1::ListServicesRequest) -> Result<Filter, Status> {
    let mut faults = FieldFaults::new();
    let page_size = page::size(&mut faults, message.page_size);
    let token = page::token(&mut faults, &message.page_token);
    let before = token.and_then(|token| token.parse().ok());
    if token.is_some_and(|token| token.len() <= 64) && before.is_none() {
        faults.add(
            "page_token",
            "was not given by this call",
            "next_page_token of the page before, or nothing for the first page",
        );
    }
    faults.finish()?;
    Ok(Filter {
        page_size,
        before,
        with_stopped: message.with_stopped,
    })
}

fn encode(service: Service) -> v1::Service {
    v1::Service {
        service_id: service.id.to_string(),
        name: service.name.to_string(),
        user_name: service.user_name.to_string(),
        state: state(service.state).into(),
        reason: service.reason,
        node_name: service.node_name,
        wanted_node: service.wanted_node,
        port: service.port.map_or(0, u32::from),
        generation: service.generation,
        starts: service.starts,
        deployed_at: Some(stamp(service.deployed_at)),
        started_at: service.started_at.map(stamp),
        next_start_at: service.next_start_at.map(stamp),
        stopped_at: service.stopped_at.map(stamp),
        exit_code: service.exit_code,
        log_path: service.log_path,
    }
}

const fn state(state: State) -> v1::ServiceState {
    match state {
        State::Pending => v1::ServiceState::Pending,
        State::Starting => v1::ServiceState::Starting,
        State::Ready => v1::ServiceState::Ready,
        State::Unready => v1::ServiceState::Unready,
        State::Restarting => v1::ServiceState::Restarting,
        State::Failed => v1::ServiceState::Failed,
        State::Stopping => v1::ServiceState::Stopping,
        State::Stopped => v1::ServiceState::Stopped,
    }
}
