//! Running one program as a job: submit, show its output as it comes, end with its exit code.
//!
//! The job belongs to the zone, not to this process: where the server goes away for a while, the output is
//! taken up again where it stopped. What it leaves to others: the job itself.

use std::time::Duration;

use model::ErrorKind;
use wire::soke::v1::{self, Stream, job_service_client::JobServiceClient};

use crate::{
    Error,
    args::Run,
    client::{Client, Surroundings},
    jobs::{as_json, cancel_number, has_ended, state_word},
    terminal::{pass_on, remark, say},
};

/// How often and how long a lost server is looked for.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
const RETRIES: u32 = 240;

/// The exit code of a client that was interrupted.
const INTERRUPTED: u8 = 130;

/// Runs the program and gives the exit code for this process.
pub(crate) async fn run(surroundings: &Surroundings, what: Run) -> Result<u8, Error> {
    let client = Client::open(surroundings).await?;
    let job = submit(&client, &what).await?;
    if what.detach {
        if what.json {
            say(as_json(&job))?;
        } else {
            say(job.number)?;
        }
        return Ok(0);
    }
    let follow = follow_to_end(&client, job.number);
    tokio::pin!(follow);
    let ended = tokio::select! {
        ended = &mut follow => ended?,
        interrupt = tokio::signal::ctrl_c() => {
            interrupt?;
            remark(format_args!("cancelling job {}", job.number))?;
            cancel_number(&client, job.number).await?;
            tokio::select! {
                ended = &mut follow => ended?,
                second = tokio::signal::ctrl_c() => second.map(|()| job)?,
            };
            return Ok(INTERRUPTED);
        }
    };
    exit_code(&ended)
}

async fn submit(client: &Client, what: &Run) -> Result<v1::Job, Error> {
    let message = v1::SubmitJobRequest {
        name: what.name.clone().unwrap_or_default(),
        arguments: what.command.clone(),
        cores: what.cores,
        account: what.account.clone(),
        memory_bytes: what.memory.saturating_mul(1 << 20),
        time_limit_secs: what.time_limit,
        working_directory: what.folder.clone(),
        node: what.node.clone(),
        ..v1::SubmitJobRequest::default()
    };
    submit_message(client, message).await
}

/// Submits a job.
pub(crate) async fn submit_message(client: &Client, message: v1::SubmitJobRequest) -> Result<v1::Job, Error> {
    let mut jobs = JobServiceClient::new(client.channel());
    let answer = client.call(message, |request| jobs.submit_job(request)).await?;
    answer
        .job
        .ok_or(Error::Answer("a submitted job without a record"))
}

/// Shows both outputs until the job has ended and gives its last record.
async fn follow_to_end(client: &Client, number: u32) -> Result<v1::Job, Error> {
    let (_out, _errors, job) = tokio::try_join!(
        follow_output(client, number, Stream::Stdout),
        follow_output(client, number, Stream::Stderr),
        watch_to_end(client, number),
    )?;
    Ok(job)
}

async fn follow_output(client: &Client, number: u32, stream: Stream) -> Result<(), Error> {
    let mut client = client.clone();
    let mut offset = 0;
    let mut tries = 0;
    loop {
        let step = follow_once(&client, number, stream, &mut offset, &mut tries).await;
        if again(step, &mut client, &mut tries).await?.is_some() {
            return Ok(());
        }
    }
}

async fn follow_once(
    client: &Client,
    number: u32,
    stream: Stream,
    offset: &mut u64,
    tries: &mut u32,
) -> Result<(), Error> {
    let message = v1::FollowOutputRequest {
        number,
        stream: stream.into(),
        offset: *offset,
    };
    let mut jobs = JobServiceClient::new(client.channel());
    let mut chunks = client
        .call(message, |request| jobs.follow_output(request))
        .await?;
    while let Some(chunk) = chunks.message().await.map_err(|status| client.refused(&status))? {
        *tries = 0;
        pass_on(&chunk.chunk, stream == Stream::Stderr)?;
        *offset = chunk.offset + u64::try_from(chunk.chunk.len()).unwrap_or(0);
    }
    Ok(())
}

/// Watches a job until it has ended.
pub(crate) async fn watch_to_end(client: &Client, number: u32) -> Result<v1::Job, Error> {
    let mut client = client.clone();
    let mut tries = 0;
    loop {
        let step = watch_once(&client, number).await;
        if let Some(job) = again(step, &mut client, &mut tries).await? {
            return Ok(job);
        }
    }
}

async fn watch_once(client: &Client, number: u32) -> Result<v1::Job, Error> {
    let mut jobs = JobServiceClient::new(client.channel());
    let mut changes = client
        .call(v1::WatchJobRequest { number }, |request| jobs.watch_job(request))
        .await?;
    while let Some(change) = changes
        .message()
        .await
        .map_err(|status| client.refused(&status))?
    {
        let job = change.job.ok_or(Error::Answer("a change of no job"))?;
        if has_ended(&job) {
            return Ok(job);
        }
    }
    Err(Error::Unreachable {
        address: client.zone.address.clone(),
        reason: "the stream ended before the job did".to_owned(),
    })
}

/// Decides after a step: its answer, nothing for another try after a pause, or the error. A server that has
/// started again may stand at another address, so it is looked for anew.
async fn again<T>(step: Result<T, Error>, client: &mut Client, tries: &mut u32) -> Result<Option<T>, Error> {
    match step {
        Ok(answer) => Ok(Some(answer)),
        Err(fault) if fault.kind() == ErrorKind::Unavailable && *tries < RETRIES => {
            *tries += 1;
            tokio::time::sleep(RETRY_PAUSE).await;
            if let Ok(found) = client.anew().await {
                *client = found;
            }
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

/// What this process ends with: the program's own code where it ended by itself.
fn exit_code(job: &v1::Job) -> Result<u8, Error> {
    if let Some(code) = job.exit_code {
        return Ok(u8::try_from(code).unwrap_or(u8::MAX));
    }
    remark(format_args!(
        "job {} is {}: {}",
        job.number,
        state_word(job),
        job.reason
    ))?;
    Ok(crate::error::exit_code(ErrorKind::Conflict))
}
