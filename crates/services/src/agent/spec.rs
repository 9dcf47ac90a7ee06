//! From an order to what a stage must know, and the little that is kept beside it for an agent that comes later.
//!
//! What it leaves to others: running it (crate `stage`).

use std::{io, net::TcpListener};

use confine::{Confine, cgroup};
use model::{ServiceId, Span};
use serde::{Deserialize, Serialize};
use stage::Spec;

use super::Config;
use crate::node::Order;

/// What is kept beside an order: how its process is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// The service.
    pub(super) service: ServiceId,
    /// The port that the process was told.
    pub(super) port: u16,
    /// What is asked over HTTP; none: a connection is enough.
    pub(super) health_path: Option<String>,
}

impl Note {
    /// The note of a stage's order.
    pub(super) fn of(spec: &Spec) -> Option<Self> {
        serde_json::from_str(&spec.note).ok()
    }
}

/// The order for a stage; makes the home where the zone owns it, and picks a port where none is asked for.
pub(super) fn make(
    confine: &Confine,
    config: &Config,
    base: Option<&cgroup::Base>,
    order: &Order,
) -> Result<Spec, stage::Error> {
    let mut plan = confine.plan(&order.account)?;
    plan.limits.processes = config.processes;
    plan.limits.open_files = config.open_files;
    plan.limits.file_bytes = config.file_bytes;
    plan.temporary_bytes = order.memory_bytes;
    if !base.is_some_and(cgroup::Base::holds_memory) {
        // Between two samples a single process shall not take much more than its share.
        plan.limits.data_bytes = Some(order.memory_bytes.saturating_add(order.memory_bytes / 4));
    }
    let port = match order.port {
        Some(port) => port,
        None => free_port().map_err(stage::Error::step("find a free port"))?,
    };
    let note = Note {
        service: order.service,
        port,
        health_path: order.health_path.clone(),
    };
    let note = serde_json::to_string(&note).map_err(|source| stage::Error::Form {
        what: "the note of a service",
        source,
    })?;
    let mut environment = order.environment.clone();
    environment.extend([
        ("PORT".to_owned(), port.to_string()),
        ("SOKE_SERVICE_ID".to_owned(), order.service.to_string()),
        ("SOKE_SERVICE_NAME".to_owned(), order.name.clone()),
        ("SOKE_SERVICE_NODE".to_owned(), config.name.clone()),
    ]);
    let log = plan.worker.home.join(&order.log_path).display().to_string();
    Ok(Spec {
        name: order.run.to_string(),
        plan,
        cgroup: base.cloned(),
        work: order.work.clone(),
        environment,
        working_directory: order.working_directory.clone(),
        stdout: log.clone(),
        stderr: log,
        keep_earlier_output: true,
        note,
        memory_bytes: order.memory_bytes,
        time_limit: None,
        grace: Span::from(config.grace),
    })
}

/// A port that nobody has at this moment. Should somebody take it before the process does, the process ends, and the
/// next run gets another one.
fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    Ok(listener.local_addr()?.port())
}
