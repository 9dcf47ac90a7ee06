//! A job as SCOW's pages show it: one row of running jobs, one row of all jobs.
//!
//! What it leaves to others: the spelling of lengths and instants (`text`).

use jobs::{Job, State};
use model::{Span, Timestamp};
use wire::scow::{common::RunningJob, portal::JobInfo};

use crate::text;

/// The row of a job that waits or runs. Numbers of what is allotted are `0` while it waits.
pub(crate) fn running(job: &Job, now: Timestamp) -> RunningJob {
    let runs = job.state == State::Running;
    let allotted = |number: u32| if runs { number.to_string() } else { "0".to_owned() };
    RunningJob {
        job_id: job.number.to_string(),
        partition: job.partition.clone(),
        name: job.name.clone(),
        user: job.user_name.to_string(),
        state: state(job.state).to_owned(),
        running_time: elapsed(job, now),
        nodes: allotted(1),
        nodes_or_reason: if runs {
            job.node_name.clone()
        } else {
            job.reason.clone()
        },
        account: job.account.clone(),
        cores: allotted(job.cores),
        gpus: "0".to_owned(),
        qos: job.qos.clone(),
        submission_time: text::instant(job.submitted_at),
        time_limit: text::limit(job.time_limit),
        working_dir: folder(job),
    }
}

/// The row of any job.
pub(crate) fn any(job: &Job, now: Timestamp) -> JobInfo {
    JobInfo {
        job_id: job.number,
        name: job.name.clone(),
        account: job.account.clone(),
        partition: job.partition.clone(),
        qos: job.qos.clone(),
        state: state(job.state).to_owned(),
        working_directory: folder(job),
        reason: job.reason.clone(),
        elapsed: elapsed(job, now),
        time_limit: text::limit(job.time_limit),
        submit_time: text::instant(job.submitted_at),
        start_time: job.started_at.map(text::instant),
        end_time: job.ended_at.map(text::instant),
    }
}

/// How long the job has run; empty where it has not started.
fn elapsed(job: &Job, now: Timestamp) -> String {
    let until = job.ended_at.unwrap_or(now);
    job.started_at.map_or_else(String::new, |started| {
        text::length((until - started).max(Span::ZERO))
    })
}

/// A path that the file calls take: the home is `.`.
fn folder(job: &Job) -> String {
    if job.working_directory.is_empty() {
        ".".to_owned()
    } else {
        job.working_directory.clone()
    }
}

/// The words that SCOW's pages know (adapter protocol, job states).
const fn state(state: State) -> &'static str {
    match state {
        State::Pending => "PENDING",
        State::Running => "RUNNING",
        State::Completed => "COMPLETED",
        State::Failed => "FAILED",
        State::Cancelled => "CANCELED",
        State::TimedOut => "TIMEOUT",
        State::OutOfMemory => "OUT_OF_MEMORY",
        State::Lost => "NODE_FAIL",
    }
}

#[cfg(test)]
mod tests;
