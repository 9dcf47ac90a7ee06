//! The commands about services: deploying one from a file and waiting for it, listing, stopping.
//!
//! What it leaves to others: what a manifest may hold (the server), requests to services.

use std::{io::Read as _, time::Duration};

use serde_json::json;
use wire::soke::v1::{self, ServiceState, service_service_client::ServiceServiceClient};

use crate::{
    Error,
    args::{Deploy, Services, ServicesCommand},
    client::{Client, Surroundings},
    json::instant,
    terminal::{remark, say},
};

/// The most bytes of a manifest.
const MOST_BYTES: u64 = 1 << 20;
/// The longest wait of one call.
const LONGEST: Duration = Duration::from_secs(20);

/// Deploys a service, and waits until it is ready; gives the exit code.
pub(crate) async fn deploy(surroundings: &Surroundings, what: &Deploy) -> Result<u8, Error> {
    let manifest = read(&what.file)?;
    let client = Client::open(surroundings).await?;
    let mut services = ServiceServiceClient::new(client.channel());
    let message = v1::DeployServiceRequest {
        manifest,
        node: what.node.clone(),
    };
    let answer = client
        .call(message, |request| services.deploy_service(request))
        .await?;
    let deployed = answer
        .service
        .ok_or(Error::Answer("a deployed service without a record"))?;
    let service = if what.detach {
        deployed
    } else {
        settled(&client, &deployed.service_id, Duration::from_secs(what.wait)).await?
    };
    if what.json {
        say(as_json(&service))?;
    } else {
        say(told(&service))?;
    }
    if what.detach || service.state() == ServiceState::Ready {
        return Ok(0);
    }
    let (path, node) = (&service.log_path, &service.node_name);
    remark(format_args!(
        "what it wrote is in your home on {node}; on the zone's own machine: soke get {path}"
    ))?;
    Ok(crate::error::exit_code(model::ErrorKind::Precondition))
}

/// Lists services, or stops one.
pub(crate) async fn services(surroundings: &Surroundings, asked: Services) -> Result<(), Error> {
    match asked.command {
        None => list(surroundings, asked.all, asked.json).await,
        Some(ServicesCommand::Stop { name, wait, json }) => {
            stop(surroundings, &name, Duration::from_secs(wait), json).await
        }
    }
}

fn read(file: &str) -> Result<String, Error> {
    let failed = |fault: std::io::Error| Error::Usage {
        what: format!("{file}: {fault}"),
        want: "a manifest, or `-` for standard input".to_owned(),
    };
    let mut text = String::new();
    if file == "-" {
        let stdin = std::io::stdin().lock();
        stdin
            .take(MOST_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(failed)?;
    } else {
        let opened = std::fs::File::open(file).map_err(failed)?;
        opened
            .take(MOST_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(failed)?;
    }
    Ok(text)
}

/// The service once it is ready, failed or stopped, or when the time is over.
pub(crate) async fn settled(client: &Client, id: &str, within: Duration) -> Result<v1::Service, Error> {
    let mut left = within;
    loop {
        let wait = left.min(LONGEST);
        left = left.saturating_sub(wait);
        let message = v1::GetServiceRequest {
            service_id: id.to_owned(),
            name: String::new(),
            wait: prost_types::Duration::try_from(wait).ok(),
        };
        let mut services = ServiceServiceClient::new(client.channel());
        let answer = client
            .call(message, |request| services.get_service(request))
            .await?;
        let service = answer
            .service
            .ok_or(Error::Answer("a service without a record"))?;
        let is_settled = matches!(
            service.state(),
            ServiceState::Ready | ServiceState::Failed | ServiceState::Stopped
        );
        if is_settled || left.is_zero() {
            return Ok(service);
        }
    }
}

async fn list(surroundings: &Surroundings, all: bool, as_lines: bool) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let mut page_token = String::new();
    if !as_lines {
        say(format_args!(
            "{:<16} {:<10} {:>6} {:>6}  {:<16} {:<16} {}",
            "SERVICE", "STATE", "PORT", "STARTS", "NODE", "USER", "REASON"
        ))?;
    }
    loop {
        let message = v1::ListServicesRequest {
            page_size: 0,
            page_token,
            with_stopped: all,
        };
        let mut services = ServiceServiceClient::new(client.channel());
        let page = client
            .call(message, |request| services.list_services(request))
            .await?;
        for service in &page.services {
            if as_lines {
                say(as_json(service))?;
            } else {
                say(row(service))?;
            }
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        page_token = page.next_page_token;
    }
}

async fn stop(surroundings: &Surroundings, name: &str, within: Duration, as_line: bool) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let mut services = ServiceServiceClient::new(client.channel());
    // What does not look like a name is the id of somebody's service.
    let is_id = name.len() == 36;
    let message = v1::StopServiceRequest {
        service_id: if is_id { name.to_owned() } else { String::new() },
        name: if is_id { String::new() } else { name.to_owned() },
    };
    let answer = client
        .call(message, |request| services.stop_service(request))
        .await?;
    let stopping = answer
        .service
        .ok_or(Error::Answer("a stopped service without a record"))?;
    let service = settled(&client, &stopping.service_id, within).await?;
    if as_line {
        say(as_json(&service))
    } else {
        say(told(&service))
    }
}

/// A service in one sentence.
fn told(service: &v1::Service) -> String {
    let reason = if service.reason.is_empty() {
        String::new()
    } else {
        format!(": {}", service.reason)
    };
    let place = if service.port > 0 {
        format!(" at port {} of {}", service.port, service.node_name)
    } else {
        String::new()
    };
    format!(
        "service {} is {}{place}{reason}",
        service.name,
        state_word(service)
    )
}

fn row(service: &v1::Service) -> String {
    let port = if service.port > 0 {
        service.port.to_string()
    } else {
        String::new()
    };
    let line = format!(
        "{:<16} {:<10} {port:>6} {:>6}  {:<16} {:<16} {}",
        service.name,
        state_word(service),
        service.starts,
        service.node_name,
        service.user_name,
        service.reason,
    );
    line.trim_end().to_owned()
}

/// The state as one lower-case word.
pub(crate) fn state_word(service: &v1::Service) -> &'static str {
    match service.state() {
        ServiceState::Unspecified => "unknown",
        ServiceState::Pending => "pending",
        ServiceState::Starting => "starting",
        ServiceState::Ready => "ready",
        ServiceState::Unready => "unready",
        ServiceState::Restarting => "restarting",
        ServiceState::Failed => "failed",
        ServiceState::Stopping => "stopping",
        ServiceState::Stopped => "stopped",
    }
}

fn as_json(service: &v1::Service) -> serde_json::Value {
    json!({
        "service_id": service.service_id,
        "name": service.name,
        "user_name": service.user_name,
        "state": state_word(service),
        "reason": service.reason,
        "node_name": service.node_name,
        "wanted_node": service.wanted_node,
        "port": (service.port > 0).then_some(service.port),
        "generation": service.generation,
        "starts": service.starts,
        "exit_code": service.exit_code,
        "deployed_at": instant(service.deployed_at.as_ref()),
        "started_at": instant(service.started_at.as_ref()),
        "next_start_at": instant(service.next_start_at.as_ref()),
        "stopped_at": instant(service.stopped_at.as_ref()),
        "log_path": service.log_path,
    })
}
