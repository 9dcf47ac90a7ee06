//! Listing, cancelling and reading the output of jobs.
//!
//! What it leaves to others: submitting and following a job to its end (`run`).

use serde_json::json;
use wire::soke::v1::{self, JobState, Stream, job_service_client::JobServiceClient};

use crate::{
    Error,
    args::{Jobs, Logs, OneJob},
    client::{Client, Surroundings},
    json::{instant, sum},
    terminal::{pass_on, say},
};

/// Lists jobs.
pub(crate) async fn list(surroundings: &Surroundings, which: &Jobs) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let mut left = which.most.max(1);
    let mut page_token = String::new();
    if !which.json {
        say(format_args!(
            "{:>6}  {:<13} {:>4}  {:>9}  {:>8}  {:<16} {}",
            "JOB", "STATE", "EXIT", "CPU", "MEMORY", "USER", "NAME"
        ))?;
    }
    loop {
        let message = v1::ListJobsRequest {
            page_size: left.min(1000),
            page_token,
            unfinished_only: which.unfinished,
        };
        let mut jobs = JobServiceClient::new(client.channel());
        let page = client.call(message, |request| jobs.list_jobs(request)).await?;
        for job in &page.jobs {
            if which.json {
                say(as_json(job))?;
            } else {
                say(row(job))?;
            }
        }
        left = left.saturating_sub(u32::try_from(page.jobs.len()).unwrap_or(u32::MAX));
        if page.next_page_token.is_empty() || left == 0 {
            return Ok(());
        }
        page_token = page.next_page_token;
    }
}

/// Ends a job.
pub(crate) async fn cancel(surroundings: &Surroundings, which: OneJob) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let job = cancel_number(&client, which.number).await?;
    if which.json {
        say(as_json(&job))
    } else {
        say(format_args!("job {} is {}", job.number, state_word(&job)))
    }
}

/// Asks the server to end a job.
pub(crate) async fn cancel_number(client: &Client, number: u32) -> Result<v1::Job, Error> {
    let mut jobs = JobServiceClient::new(client.channel());
    let answer = client
        .call(v1::CancelJobRequest { number }, |request| {
            jobs.cancel_job(request)
        })
        .await?;
    answer
        .job
        .ok_or(Error::Answer("a cancelled job without a record"))
}

/// Shows a job's output until the job has ended.
pub(crate) async fn logs(surroundings: &Surroundings, which: &Logs) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let stream = if which.errors {
        Stream::Stderr
    } else {
        Stream::Stdout
    };
    let message = v1::FollowOutputRequest {
        number: which.number,
        stream: stream.into(),
        offset: 0,
    };
    let mut jobs = JobServiceClient::new(client.channel());
    let mut chunks = client
        .call(message, |request| jobs.follow_output(request))
        .await?;
    while let Some(chunk) = chunks.message().await.map_err(|status| client.refused(&status))? {
        pass_on(&chunk.chunk, false)?;
    }
    Ok(())
}

/// Everything that a job writes to its standard output until it has ended.
pub(crate) async fn output(client: &Client, number: u32) -> Result<Vec<u8>, Error> {
    let message = v1::FollowOutputRequest {
        number,
        stream: Stream::Stdout.into(),
        offset: 0,
    };
    let mut jobs = JobServiceClient::new(client.channel());
    let mut chunks = client
        .call(message, |request| jobs.follow_output(request))
        .await?;
    let mut whole = Vec::new();
    while let Some(chunk) = chunks.message().await.map_err(|status| client.refused(&status))? {
        whole.extend_from_slice(&chunk.chunk);
    }
    Ok(whole)
}

/// The job that was submitted last.
pub(crate) async fn newest(client: &Client) -> Result<Option<v1::Job>, Error> {
    let message = v1::ListJobsRequest {
        page_size: 1,
        ..v1::ListJobsRequest::default()
    };
    let mut jobs = JobServiceClient::new(client.channel());
    let page = client.call(message, |request| jobs.list_jobs(request)).await?;
    Ok(page.jobs.into_iter().next())
}

/// One job as a table row.
fn row(job: &v1::Job) -> String {
    let exit = job.exit_code.map_or_else(String::new, |code| code.to_string());
    format!(
        "{:>6}  {:<13} {exit:>4}  {:>9}  {:>8}  {:<16} {}",
        job.number,
        state_word(job),
        seconds(job.cpu_micros),
        mebibytes(job.peak_memory_bytes),
        job.user_name,
        job.name,
    )
}

/// One job as JSON.
pub(crate) fn as_json(job: &v1::Job) -> serde_json::Value {
    json!({
        "number": job.number,
        "cluster": job.cluster,
        "job_id": job.job_id,
        "name": job.name,
        "user_name": job.user_name,
        "state": state_word(job),
        "reason": job.reason,
        "exit_code": job.exit_code,
        "cpu_micros": job.cpu_micros,
        "peak_memory_bytes": job.peak_memory_bytes,
        "cores": job.cores,
        "submitted_at": instant(job.submitted_at.as_ref()),
        "started_at": instant(job.started_at.as_ref()),
        "ended_at": instant(job.ended_at.as_ref()),
        "working_directory": job.working_directory,
        "stdout_path": job.stdout_path,
        "stderr_path": job.stderr_path,
        "node_name": job.node_name,
        "account": (!job.account.is_empty()).then_some(&job.account),
        "held": job.held.as_ref().map(|held| sum(Some(held))),
    })
}

/// The state as one lower-case word.
pub(crate) fn state_word(job: &v1::Job) -> &'static str {
    match job.state() {
        JobState::Unspecified => "unknown",
        JobState::Pending => "pending",
        JobState::Running => "running",
        JobState::Completed => "completed",
        JobState::Failed => "failed",
        JobState::Cancelled => "cancelled",
        JobState::TimedOut => "timed-out",
        JobState::OutOfMemory => "out-of-memory",
        JobState::Lost => "lost",
    }
}

/// Tells whether the job will not change any more.
pub(crate) fn has_ended(job: &v1::Job) -> bool {
    match job.state() {
        JobState::Unspecified | JobState::Pending | JobState::Running => false,
        JobState::Completed
        | JobState::Failed
        | JobState::Cancelled
        | JobState::TimedOut
        | JobState::OutOfMemory
        | JobState::Lost => true,
    }
}

/// Microseconds as seconds with two decimals.
pub(crate) fn seconds(micros: u64) -> String {
    format!("{}.{:02} s", micros / 1_000_000, micros % 1_000_000 / 10_000)
}

/// Bytes as MiB with one decimal.
pub(crate) fn mebibytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::{mebibytes, seconds};

    #[test]
    fn lengths_and_sizes_are_cut_not_rounded_up() {
        assert_eq!(seconds(1_239_999), "1.23 s");
        assert_eq!(mebibytes((1 << 20) * 3 / 2), "1.5 MiB");
    }
}
