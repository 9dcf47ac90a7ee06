//! Jobs on a node, between their messages and the slice's own words; used by both halves.
//!
//! What it leaves to others: the calls (`job_nodes` on the server, `node::jobs` on a node).

use jobs::node::{Capacity, Order, Report};
use model::{JobId, Span, Timestamp};
use stage::{Cause, Exit, Observed, Work};
use tonic::Status;
use wire::{
    FieldFaults,
    soke::agent::v1::{self, job_report},
};

use crate::account;

pub(crate) fn encode_order(order: Order) -> v1::StartJobRequest {
    let (script, arguments) = match order.work {
        Work::Script(script) => (script, Vec::new()),
        Work::Arguments(arguments) => (String::new(), arguments),
    };
    v1::StartJobRequest {
        job_id: order.id.to_string(),
        number: order.number,
        name: order.name,
        account: Some(account::encode(&order.account)),
        script,
        arguments,
        cores: order.cores,
        memory_bytes: order.memory_bytes,
        time_limit_micros: u64::try_from(order.time_limit.micros()).unwrap_or(0),
        working_directory: order.working_directory,
        stdout_path: order.stdout_path,
        stderr_path: order.stderr_path,
    }
}

pub(crate) fn decode_order(message: v1::StartJobRequest) -> Result<Order, Status> {
    let mut faults = FieldFaults::new();
    let id = read_id(&message.job_id, &mut faults);
    let account = account::decode(message.account, &mut faults);
    let both = message.script.is_empty() == message.arguments.is_empty();
    faults.check(
        !both,
        "arguments",
        "are beside a script, or neither is there",
        "either a script or arguments",
    );
    let (Some(id), Some(account), true) = (id, account, faults.is_empty()) else {
        return Err(faults.into_status());
    };
    let work = if message.arguments.is_empty() {
        Work::Script(message.script)
    } else {
        Work::Arguments(message.arguments)
    };
    Ok(Order {
        id,
        number: message.number,
        name: message.name,
        account,
        work,
        cores: message.cores,
        memory_bytes: message.memory_bytes,
        time_limit: Span::from_micros(i64::try_from(message.time_limit_micros).unwrap_or(i64::MAX)),
        working_directory: message.working_directory,
        stdout_path: message.stdout_path,
        stderr_path: message.stderr_path,
    })
}

/// Reads the id of a call that has no other field.
pub(crate) fn decode_id(text: &str) -> Result<JobId, Status> {
    let mut faults = FieldFaults::new();
    read_id(text, &mut faults).ok_or_else(|| faults.into_status())
}

fn read_id(text: &str, faults: &mut FieldFaults) -> Option<JobId> {
    let id = text.parse().ok();
    faults.check(id.is_some(), "job_id", "is no id", "the id of a job");
    id
}

pub(crate) fn encode_capacity(capacity: Capacity) -> v1::JobCapacity {
    v1::JobCapacity {
        cores: capacity.cores,
        memory_bytes: capacity.memory_bytes,
        reduced: capacity.reduced,
    }
}

/// What a node says that it offers; the zone knows its name better.
pub(crate) fn decode_capacity(message: v1::JobCapacity, name: &str) -> Capacity {
    Capacity {
        name: name.to_owned(),
        cores: message.cores,
        memory_bytes: message.memory_bytes,
        reduced: message.reduced,
    }
}

pub(crate) fn encode_report(report: Report) -> v1::JobReport {
    let observed = match report.observed {
        Observed::Starting => job_report::Observed::Starting(job_report::Starting {}),
        Observed::Running { started_at } => job_report::Observed::Running(job_report::Running {
            started_at_micros: started_at.micros(),
        }),
        Observed::Ended(exit) => job_report::Observed::Ended(encode_exit(&exit)),
        Observed::Lost => job_report::Observed::Lost(job_report::Lost {}),
    };
    v1::JobReport {
        job_id: report.id.to_string(),
        observed: Some(observed),
    }
}

pub(crate) fn encode_exit(exit: &Exit) -> job_report::Ended {
    let cause = match exit.cause {
        Cause::Itself => job_report::Cause::Itself,
        Cause::Cancelled => job_report::Cause::Cancelled,
        Cause::TimeLimit => job_report::Cause::TimeLimit,
        Cause::MemoryLimit => job_report::Cause::MemoryLimit,
        Cause::NotStarted => job_report::Cause::NotStarted,
        Cause::Broken => job_report::Cause::Broken,
    };
    job_report::Ended {
        started_at_micros: exit.started_at.micros(),
        ended_at_micros: exit.ended_at.micros(),
        ran_micros: exit.ran.micros(),
        exit_code: exit.code,
        cause: cause.into(),
        reason: exit.reason.clone(),
        cpu_micros: exit.cpu.micros(),
        peak_memory_bytes: exit.peak_memory_bytes,
    }
}

/// Reads a report; none where this release cannot, which is then as if the node were away.
pub(crate) fn decode_report(message: v1::JobReport) -> Option<Report> {
    let observed = match message.observed? {
        job_report::Observed::Starting(_) => Observed::Starting,
        job_report::Observed::Running(running) => Observed::Running {
            started_at: Timestamp::from_micros(running.started_at_micros),
        },
        job_report::Observed::Ended(ended) => Observed::Ended(decode_exit(ended)?.into()),
        job_report::Observed::Lost(_) => Observed::Lost,
    };
    Some(Report {
        id: message.job_id.parse().ok()?,
        observed,
    })
}

pub(crate) fn decode_exit(ended: job_report::Ended) -> Option<Exit> {
    let cause = match ended.cause() {
        job_report::Cause::Itself => Cause::Itself,
        job_report::Cause::Cancelled => Cause::Cancelled,
        job_report::Cause::TimeLimit => Cause::TimeLimit,
        job_report::Cause::MemoryLimit => Cause::MemoryLimit,
        job_report::Cause::NotStarted => Cause::NotStarted,
        job_report::Cause::Broken => Cause::Broken,
        job_report::Cause::Unspecified => return None,
    };
    Some(Exit {
        cause,
        reason: ended.reason,
        code: ended.exit_code,
        cpu: Span::from_micros(ended.cpu_micros),
        peak_memory_bytes: ended.peak_memory_bytes,
        started_at: Timestamp::from_micros(ended.started_at_micros),
        ended_at: Timestamp::from_micros(ended.ended_at_micros),
        ran: Span::from_micros(ended.ran_micros),
    })
}

#[cfg(test)]
mod tests;
