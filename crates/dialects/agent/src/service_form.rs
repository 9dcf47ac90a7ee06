//! Runs of services, between their messages and the slice's own words; used by both halves.
//!
//! What it leaves to others: the calls (`service_nodes` on the server, `node::services` on a node).

use model::{RunId, ServiceId, Timestamp};
use services::node::{Observed, Order, Report};
use stage::Work;
use tonic::Status;
use wire::{
    FieldFaults,
    soke::agent::v1::{self, run_report},
};

use crate::{
    account,
    job_form::{decode_exit, encode_exit},
};

pub(crate) fn encode_order(order: Order) -> v1::StartRunRequest {
    let (script, arguments) = match order.work {
        Work::Script(script) => (script, Vec::new()),
        Work::Arguments(arguments) => (String::new(), arguments),
    };
    v1::StartRunRequest {
        run_id: order.run.to_string(),
        service_id: order.service.to_string(),
        name: order.name,
        account: Some(account::encode(&order.account)),
        script,
        arguments,
        port: order.port.map_or(0, u32::from),
        environment: order.environment,
        working_directory: order.working_directory,
        log_path: order.log_path,
        health_path: order.health_path.unwrap_or_default(),
        memory_bytes: order.memory_bytes,
    }
}

pub(crate) fn decode_order(message: v1::StartRunRequest) -> Result<Order, Status> {
    let mut faults = FieldFaults::new();
    let run = read_id(&message.run_id, &mut faults);
    let service = message.service_id.parse::<ServiceId>().ok();
    faults.check(service.is_some(), "service_id", "is no id", "the id of a service");
    let account = account::decode(message.account, &mut faults);
    let both = message.script.is_empty() == message.arguments.is_empty();
    faults.check(
        !both,
        "arguments",
        "are beside a script, or neither is there",
        "either a script or arguments",
    );
    let port = u16::try_from(message.port);
    faults.check(port.is_ok(), "port", "is out of range", "0 to 65535");
    let path = &message.log_path;
    let is_inside = !path.is_empty() && !path.starts_with('/') && path.split('/').all(|part| part != "..");
    faults.check(
        is_inside,
        "log_path",
        "is no path below the home",
        "a relative path without ..",
    );
    let (Some(run), Some(service), Some(account), Ok(port), true) =
        (run, service, account, port, faults.is_empty())
    else {
        return Err(faults.into_status());
    };
    let work = if message.arguments.is_empty() {
        Work::Script(message.script)
    } else {
        Work::Arguments(message.arguments)
    };
    Ok(Order {
        run,
        service,
        name: message.name,
        account,
        work,
        port: Some(port).filter(|&port| port > 0),
        environment: message.environment,
        working_directory: message.working_directory,
        log_path: message.log_path,
        health_path: Some(message.health_path).filter(|path| !path.is_empty()),
        memory_bytes: message.memory_bytes,
    })
}

/// Reads the id of a call that has no other field.
pub(crate) fn decode_id(text: &str) -> Result<RunId, Status> {
    let mut faults = FieldFaults::new();
    read_id(text, &mut faults).ok_or_else(|| faults.into_status())
}

fn read_id(text: &str, faults: &mut FieldFaults) -> Option<RunId> {
    let id = text.parse().ok();
    faults.check(id.is_some(), "run_id", "is no id", "the id of a run");
    id
}

pub(crate) fn encode_report(report: Report) -> v1::RunReport {
    let observed = match report.observed {
        Observed::Starting => run_report::Observed::Starting(run_report::Starting {}),
        Observed::Running {
            started_at,
            port,
            silent,
        } => run_report::Observed::Running(run_report::Running {
            started_at_micros: started_at.micros(),
            port: port.into(),
            silent,
        }),
        Observed::Ended(exit) => run_report::Observed::Ended(encode_exit(&exit)),
        Observed::Lost => run_report::Observed::Lost(run_report::Lost {}),
    };
    v1::RunReport {
        run_id: report.run.to_string(),
        observed: Some(observed),
    }
}

/// Reads a report; none where this release cannot.
pub(crate) fn decode_report(message: v1::RunReport) -> Option<Report> {
    let observed = match message.observed? {
        run_report::Observed::Starting(_) => Observed::Starting,
        run_report::Observed::Running(running) => Observed::Running {
            started_at: Timestamp::from_micros(running.started_at_micros),
            port: u16::try_from(running.port).ok()?,
            silent: running.silent,
        },
        run_report::Observed::Ended(ended) => Observed::Ended(decode_exit(ended)?.into()),
        run_report::Observed::Lost(_) => Observed::Lost,
    };
    Some(Report {
        run: message.run_id.parse().ok()?,
        observed,
    })
}

#[cfg(test)]
mod tests;
