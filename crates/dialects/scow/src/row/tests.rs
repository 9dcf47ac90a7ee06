//! Golden rows.

use jobs::{Job, State};
use model::{JobId, Name, Span, Timestamp, UserId};

use super::{any, running};

fn job() -> Job {
    let at = Timestamp::from_secs(1_700_000_000);
    Job {
        id: JobId::fresh(at),
        cluster: "local".to_owned(),
        number: 7,
        name: "sum".to_owned(),
        user: UserId::fresh(at),
        user_name: Name::imported("ada").expect("a name"),
        state: State::Pending,
        reason: "waits for its turn".to_owned(),
        submitted_at: at,
        started_at: None,
        ended_at: None,
        exit_code: None,
        cpu: Span::ZERO,
        peak_memory_bytes: 0,
        cores: 2,
        memory_bytes: 1 << 30,
        time_limit: Span::from_secs(5400),
        working_directory: String::new(),
        stdout_path: "job-7.out".to_owned(),
        stderr_path: "job-7.err".to_owned(),
        node_name: String::new(),
        account: "physics".to_owned(),
        hold: None,
        partition: "local".to_owned(),
        qos: "normal".to_owned(),
        comment: String::new(),
    }
}

fn after(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + secs)
}

#[test]
fn a_waiting_job_has_nothing_allotted_and_says_why() {
    let row = running(&job(), after(10));
    assert_eq!(
        [
            row.job_id,
            row.state,
            row.nodes,
            row.cores,
            row.gpus,
            row.running_time
        ],
        ["7", "PENDING", "0", "0", "0", ""].map(str::to_owned)
    );
    assert_eq!(row.nodes_or_reason, "waits for its turn");
    assert_eq!(row.time_limit, "01:30:00");
    assert_eq!(row.submission_time, "2023-11-14T22:13:20.000Z");
    assert_eq!(row.working_dir, ".");
}

#[test]
fn a_running_job_says_where_and_how_long() {
    let mut job = job();
    job.state = State::Running;
    job.started_at = Some(after(5));
    job.node_name = "node1".to_owned();
    job.working_directory = "work".to_owned();
    let row = running(&job, after(70));
    assert_eq!(
        [
            row.state,
            row.nodes,
            row.cores,
            row.nodes_or_reason,
            row.running_time
        ],
        ["RUNNING", "1", "2", "node1", "01:05"].map(str::to_owned)
    );
    assert_eq!(row.working_dir, "work");
    // A clock that was set back does not make it run for less than nothing.
    assert_eq!(running(&job, after(0)).running_time, "00:00");
}

#[test]
fn an_ended_job_ran_until_its_end() {
    let mut job = job();
    job.started_at = Some(after(5));
    job.ended_at = Some(after(5 + 90_061));
    for (state, word) in [
        (State::Completed, "COMPLETED"),
        (State::Failed, "FAILED"),
        (State::Cancelled, "CANCELED"),
        (State::TimedOut, "TIMEOUT"),
        (State::OutOfMemory, "OUT_OF_MEMORY"),
        (State::Lost, "NODE_FAIL"),
    ] {
        job.state = state;
        let row = any(&job, after(1_000_000));
        assert_eq!((row.state.as_str(), row.elapsed.as_str()), (word, "1-01:01:01"));
        assert_eq!(row.start_time.as_deref(), Some("2023-11-14T22:13:25.000Z"));
        assert_eq!(row.end_time.as_deref(), Some("2023-11-15T23:14:26.000Z"));
    }
}
