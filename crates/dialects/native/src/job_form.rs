//! A job between its message and the slice's own words.
//!
//! What it leaves to others: what is a good job (`jobs`).

use jobs::{Draft, Job, State};
use model::Span;
use stage::Work;
use wire::{FieldFaults, soke::v1};

use crate::{account_form::money, stamp::stamp};

/// Reads a wanted job, and what is wrong with the fields that a draft does not have. What is 0 or empty takes the
/// default; everything else is for the slice to judge.
pub(crate) fn draft(message: v1::SubmitJobRequest) -> (Draft, FieldFaults) {
    let mut faults = FieldFaults::new();
    let both = !message.script.is_empty() && !message.arguments.is_empty();
    faults.check(
        !both,
        "arguments",
        "are given beside a script",
        "either a script or arguments",
    );
    let work = if message.arguments.is_empty() {
        Work::Script(message.script)
    } else {
        Work::Arguments(message.arguments)
    };
    let draft = Draft {
        name: message.name,
        cores: Some(message.cores).filter(|cores| *cores > 0),
        memory_bytes: Some(message.memory_bytes).filter(|bytes| *bytes > 0),
        time_limit: Some(message.time_limit_secs)
            .filter(|secs| *secs > 0)
            .map(|secs| Span::from_secs(i64::try_from(secs).unwrap_or(i64::MAX))),
        working_directory: message.working_directory,
        stdout_path: message.stdout_path,
        stderr_path: message.stderr_path,
        request_id: message.request_id,
        node: message.node,
        account: message.account,
        ..Draft::of(work)
    };
    (draft, faults)
}

/// The message's name of a draft's field.
pub(crate) fn field(name: &'static str, by_script: bool) -> &'static str {
    match name {
        "work" if by_script => "script",
        "work" => "arguments",
        "time_limit" => "time_limit_secs",
        same => same,
    }
}

/// Writes a job as its message.
pub(crate) fn encode(job: Job) -> v1::Job {
    v1::Job {
        job_id: job.id.to_string(),
        cluster: job.cluster,
        number: job.number,
        name: job.name,
        user_name: job.user_name.to_string(),
        state: state(job.state).into(),
        reason: job.reason,
        submitted_at: Some(stamp(job.submitted_at)),
        started_at: job.started_at.map(stamp),
        ended_at: job.ended_at.map(stamp),
        exit_code: job.exit_code,
        cpu_micros: u64::try_from(job.cpu.micros()).unwrap_or(0),
        peak_memory_bytes: job.peak_memory_bytes,
        cores: job.cores,
        memory_bytes: job.memory_bytes,
        time_limit_secs: u64::try_from(job.time_limit.secs()).unwrap_or(0),
        working_directory: job.working_directory,
        stdout_path: job.stdout_path,
        stderr_path: job.stderr_path,
        node_name: job.node_name,
        account: job.account,
        held: job.hold.map(money),
    }
}

const fn state(state: State) -> v1::JobState {
    match state {
        State::Pending => v1::JobState::Pending,
        State::Running => v1::JobState::Running,
        State::Completed => v1::JobState::Completed,
        State::Failed => v1::JobState::Failed,
        State::Cancelled => v1::JobState::Cancelled,
        State::TimedOut => v1::JobState::TimedOut,
        State::OutOfMemory => v1::JobState::OutOfMemory,
        State::Lost => v1::JobState::Lost,
    }
}
