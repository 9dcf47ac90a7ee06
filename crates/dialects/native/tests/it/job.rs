//! Jobs submitted, shown, ended and followed, and what is refused.

use std::time::Duration;

use futures::StreamExt as _;
use tonic::{Code, Status, Streaming};
use wire::soke::v1::{self, JobState, Stream};

use crate::zone::{Zone, bearing, refusal};

const SOON: Duration = Duration::from_secs(20);
/// What the product promises for streams of a session that was left.
const FIVE_SECONDS: Duration = Duration::from_secs(5);

fn script(name: &str) -> v1::SubmitJobRequest {
    v1::SubmitJobRequest {
        name: name.to_owned(),
        script: "echo hello".to_owned(),
        ..v1::SubmitJobRequest::default()
    }
}

async fn submit(zone: &Zone, token: &str, message: v1::SubmitJobRequest) -> Result<v1::Job, Status> {
    let answer = zone.jobs().submit_job(bearing(token, message)).await?;
    Ok(answer.into_inner().job.expect("a job"))
}

async fn get(zone: &Zone, token: &str, number: u32) -> Result<v1::Job, Status> {
    let message = v1::GetJobRequest { number };
    let answer = zone.jobs().get_job(bearing(token, message)).await?;
    Ok(answer.into_inner().job.expect("a job"))
}

async fn cancel(zone: &Zone, token: &str, number: u32) -> Result<v1::Job, Status> {
    let message = v1::CancelJobRequest { number };
    let answer = zone.jobs().cancel_job(bearing(token, message)).await?;
    Ok(answer.into_inner().job.expect("a job"))
}

async fn watch(zone: &Zone, token: &str, number: u32) -> Result<Streaming<v1::WatchJobResponse>, Status> {
    let message = v1::WatchJobRequest { number };
    let answer = zone.jobs().watch_job(bearing(token, message)).await?;
    Ok(answer.into_inner())
}

async fn follow(
    zone: &Zone,
    token: &str,
    message: v1::FollowOutputRequest,
) -> Result<Streaming<v1::FollowOutputResponse>, Status> {
    let answer = zone.jobs().follow_output(bearing(token, message)).await?;
    Ok(answer.into_inner())
}

fn output(number: u32, stream: Stream, offset: u64) -> v1::FollowOutputRequest {
    v1::FollowOutputRequest {
        number,
        stream: stream.into(),
        offset,
    }
}

/// The next item, in time; an error is an item too.
async fn next<T>(stream: &mut Streaming<T>) -> Option<Result<T, Status>> {
    tokio::time::timeout(SOON, stream.next()).await.expect("in time")
}

async fn until_running(stream: &mut Streaming<v1::WatchJobResponse>) -> v1::Job {
    loop {
        let seen = next(stream).await.expect("not ended").expect("no error");
        let job = seen.job.expect("a job");
        if job.state() == JobState::Running {
            return job;
        }
    }
}

#[tokio::test]
async fn a_job_is_submitted_watched_followed_and_ended() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let job = submit(&zone, &owner, script("sum")).await.expect("queued");
    assert_eq!(
        (job.number, job.name.as_str(), job.user_name.as_str()),
        (1, "sum", "ada")
    );
    assert_eq!((job.cores, job.cluster.as_str()), (1, "local"));
    assert!(job.memory_bytes > 0 && job.time_limit_secs > 0 && job.submitted_at.is_some());
    let mut watched = watch(&zone, &owner, 1).await.expect("watched");
    let running = until_running(&mut watched).await;
    assert_eq!((running.node_name.as_str(), running.exit_code), ("node1", None));
    let mut followed = follow(&zone, &owner, output(1, Stream::Stdout, 2))
        .await
        .expect("followed");
    let chunk = next(&mut followed).await.expect("a chunk").expect("no error");
    assert_eq!((chunk.offset, &chunk.chunk[..]), (2, &b"llo\n"[..]));
    cancel(&zone, &owner, 1).await.expect("ended");
    let mut last = None;
    while let Some(seen) = next(&mut watched).await {
        last = seen.expect("no error").job;
    }
    let last = last.expect("the end is shown");
    assert_eq!((last.state(), last.exit_code), (JobState::Cancelled, Some(143)));
    assert_eq!((last.cpu_micros, last.peak_memory_bytes), (1_000_000, 1 << 20));
    assert!(
        next(&mut followed).await.is_none(),
        "the output ends with the job"
    );
    let again = cancel(&zone, &owner, 1).await;
    assert_eq!(refusal(again), (Code::FailedPrecondition, vec![]));
}

#[tokio::test]
async fn a_request_that_comes_twice_is_one_job() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let mut message = script("sum");
    message.request_id = "r1".to_owned();
    let first = submit(&zone, &owner, message.clone()).await.expect("queued");
    let second = submit(&zone, &owner, message.clone()).await.expect("the same");
    assert_eq!((first.job_id, first.number), (second.job_id, second.number));
    message.script = "echo else".to_owned();
    let other = submit(&zone, &owner, message).await;
    assert_eq!(refusal(other), (Code::AlreadyExists, vec![]));
}

#[tokio::test]
async fn jobs_are_listed_newest_first_in_pages() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    for name in ["one", "two", "three"] {
        submit(&zone, &owner, script(name)).await.expect("queued");
    }
    let mut message = v1::ListJobsRequest {
        page_size: 2,
        ..v1::ListJobsRequest::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = zone.jobs().list_jobs(bearing(&owner, message.clone())).await;
        let page = page.expect("listed").into_inner();
        seen.extend(page.jobs.into_iter().map(|job| job.name));
        if page.next_page_token.is_empty() {
            break;
        }
        message.page_token = page.next_page_token;
    }
    assert_eq!(seen, ["three", "two", "one"]);
    for (page_size, page_token, fields) in [
        (1001, "", vec!["page_size"]),
        (0, "x", vec!["page_token"]),
        (u32::MAX, "-1", vec!["page_size", "page_token"]),
        (0, "99999999999", vec!["page_token"]),
    ] {
        let message = v1::ListJobsRequest {
            page_size,
            page_token: page_token.to_owned(),
            unfinished_only: false,
        };
        let fields: Vec<String> = fields.into_iter().map(str::to_owned).collect();
        let answer = zone.jobs().list_jobs(bearing(&owner, message)).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, fields));
    }
}

#[tokio::test]
async fn everything_wrong_with_a_job_is_said_at_once() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    type Spoil = fn(&mut v1::SubmitJobRequest);
    let cases: [(Spoil, &[&str]); 14] = [
        (|job| job.script = String::new(), &["script"]),
        (|job| job.script = " \n".into(), &["script"]),
        (|job| job.script = "a\0".into(), &["script"]),
        (|job| job.arguments = vec!["true".into()], &["arguments"]),
        (
            |job| (job.script, job.arguments) = (String::new(), vec![String::new()]),
            &["arguments"],
        ),
        (|job| job.name = "n".repeat(65), &["name"]),
        (|job| job.cores = 5, &["cores"]),
        (|job| job.node = "nowhere".to_owned(), &["node"]),
        (|job| job.memory_bytes = 1, &["memory_bytes"]),
        (|job| job.memory_bytes = u64::MAX, &["memory_bytes"]),
        (|job| job.time_limit_secs = u64::MAX, &["time_limit_secs"]),
        (|job| job.working_directory = "a\0".into(), &["working_directory"]),
        (|job| job.request_id = "r".repeat(65), &["request_id"]),
        (
            |job| {
                (job.script, job.cores, job.memory_bytes) = (String::new(), 99, 2);
                (job.stdout_path, job.stderr_path) = ("out/".into(), "e".repeat(5000));
            },
            &["script", "stdout_path", "stderr_path", "cores", "memory_bytes"],
        ),
    ];
    for (spoil, fields) in cases {
        let mut message = script("sum");
        spoil(&mut message);
        let fields: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
        let answer = submit(&zone, &owner, message).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, fields));
    }
    let none = zone
        .jobs()
        .list_jobs(bearing(&owner, v1::ListJobsRequest::default()))
        .await;
    assert!(
        none.expect("listed").into_inner().jobs.is_empty(),
        "nothing was queued"
    );
}

#[tokio::test]
async fn a_number_or_stream_that_is_none_is_a_field_at_fault() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let number = (Code::InvalidArgument, vec!["number".to_owned()]);
    assert_eq!(refusal(get(&zone, &owner, 0).await), number);
    assert_eq!(refusal(cancel(&zone, &owner, 0).await), number);
    assert_eq!(refusal(watch(&zone, &owner, 0).await), number);
    let both = follow(&zone, &owner, output(0, Stream::Unspecified, 0)).await;
    let fields = vec!["number".to_owned(), "stream".to_owned()];
    assert_eq!(refusal(both), (Code::InvalidArgument, fields));
    let unknown = v1::FollowOutputRequest {
        number: 1,
        stream: 9,
        offset: 0,
    };
    let unknown = follow(&zone, &owner, unknown).await;
    assert_eq!(
        refusal(unknown),
        (Code::InvalidArgument, vec!["stream".to_owned()])
    );
}

#[tokio::test]
async fn who_may_not_see_a_job_is_told_that_there_is_none() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let bob = zone.member(&owner, "bob").await;
    let hers = submit(&zone, &owner, script("hers"))
        .await
        .expect("queued")
        .number;
    let his = submit(&zone, &bob, script("his")).await.expect("queued").number;
    let none = (Code::NotFound, vec![]);
    for number in [hers, 99] {
        assert_eq!(refusal(get(&zone, &bob, number).await), none);
        assert_eq!(refusal(cancel(&zone, &bob, number).await), none);
        assert_eq!(refusal(watch(&zone, &bob, number).await), none);
        let followed = follow(&zone, &bob, output(number, Stream::Stderr, 0)).await;
        assert_eq!(refusal(followed), none);
    }
    let listed = zone
        .jobs()
        .list_jobs(bearing(&bob, v1::ListJobsRequest::default()))
        .await;
    let names: Vec<_> = listed
        .expect("listed")
        .into_inner()
        .jobs
        .into_iter()
        .map(|job| job.name)
        .collect();
    assert_eq!(names, ["his"]);
    get(&zone, &owner, his).await.expect("the owner sees every job");
}

#[tokio::test]
async fn open_streams_end_with_their_session() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let bob = zone.member(&owner, "bob").await;
    let number = submit(&zone, &bob, script("sum")).await.expect("queued").number;
    let mut watched = watch(&zone, &bob, number).await.expect("watched");
    until_running(&mut watched).await;
    let mut followed = follow(&zone, &bob, output(number, Stream::Stdout, 0))
        .await
        .expect("followed");
    next(&mut followed).await.expect("a chunk").expect("no error");
    let out = zone
        .sessions()
        .sign_out(bearing(&bob, v1::SignOutRequest {}))
        .await;
    out.expect("signed out");
    let ends = tokio::time::timeout(FIVE_SECONDS, async {
        (end(&mut watched).await, end(&mut followed).await)
    });
    let ends = ends.await.expect("both end in time");
    assert_eq!(ends, (Some(Code::Unauthenticated), Some(Code::Unauthenticated)));
}

/// The code with which a stream ends; nothing where it ends well.
async fn end<T>(stream: &mut Streaming<T>) -> Option<Code> {
    loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(status)) => return Some(status.code()),
            None => return None,
        }
    }
}

#[tokio::test]
async fn without_a_bearer_no_job_call_says_anything() {
    let zone = Zone::new().await;
    let nobody = (Code::Unauthenticated, vec![]);
    assert_eq!(refusal(zone.jobs().submit_job(script("sum")).await), nobody);
    assert_eq!(
        refusal(zone.jobs().list_jobs(v1::ListJobsRequest::default()).await),
        nobody
    );
    assert_eq!(
        refusal(zone.jobs().get_job(v1::GetJobRequest { number: 0 }).await),
        nobody
    );
    assert_eq!(
        refusal(zone.jobs().cancel_job(v1::CancelJobRequest { number: 0 }).await),
        nobody
    );
    assert_eq!(
        refusal(zone.jobs().watch_job(v1::WatchJobRequest { number: 0 }).await),
        nobody
    );
    let follow = output(0, Stream::Unspecified, 0);
    assert_eq!(refusal(zone.jobs().follow_output(follow).await), nobody);
}
