//! Jobs submitted, listed and ended, and what is refused.

use std::time::Duration;

use tonic::{Code, Status};
use wire::scow::portal::{
    AccountStatusFilter, CancelJobRequest, ListAccountsRequest, ListAllJobsRequest, ListJobTemplatesRequest,
    ListRunningJobsRequest, SubmitJobRequest, TimeUnit,
};
use wire::scow::server::{
    account_service_client::AccountServiceClient, charging_service_client::ChargingServiceClient,
};

use crate::management::bed::{money, new_account, payment};
use crate::zone::{Refusal, Zone, bearing, refusal};

fn wanted(job_name: &str) -> SubmitJobRequest {
    SubmitJobRequest {
        user_id: "ada".to_owned(),
        cluster: "local".to_owned(),
        partition: "local".to_owned(),
        node_count: 1,
        core_count: 1,
        gpu_count: Some(0),
        command: "sleep 60".to_owned(),
        job_name: job_name.to_owned(),
        qos: Some("normal".to_owned()),
        max_time: 2,
        account: "physics".to_owned(),
        working_directory: "work".to_owned(),
        output: "{{ name }}.out".to_owned(),
        error_output: String::new(),
        memory: Some("512MB".to_owned()),
        comment: Some("a comment".to_owned()),
        save_as_template: false,
        script_output: None,
        max_time_unit: Some(TimeUnit::Hours.into()),
    }
}

async fn submit(zone: &Zone, message: SubmitJobRequest) -> Result<u32, Status> {
    let answer = zone.jobs().submit_job(bearing(&zone.ada, message)).await;
    answer.map(|answer| answer.into_inner().job_id)
}

fn running(user_id: &str) -> ListRunningJobsRequest {
    ListRunningJobsRequest {
        user_id: user_id.to_owned(),
        cluster: "local".to_owned(),
    }
}

fn all(start: Option<(i64, i32)>, end: Option<(i64, i32)>) -> ListAllJobsRequest {
    let stamp = |(seconds, nanos)| prost_types::Timestamp { seconds, nanos };
    ListAllJobsRequest {
        user_id: "ada".to_owned(),
        cluster: "local".to_owned(),
        start_time: start.map(stamp),
        end_time: end.map(stamp),
    }
}

fn cancel(user_id: &str, job_id: u32) -> CancelJobRequest {
    CancelJobRequest {
        user_id: user_id.to_owned(),
        cluster: "local".to_owned(),
        job_id,
    }
}

/// Waits until ada's job with this number shows this state.
async fn until(zone: &Zone, number: u32, state: &str) {
    let shows = async || {
        let asked = bearing(&zone.ada, all(None, None));
        let answer = zone.jobs().list_all_jobs(asked).await;
        let rows = answer.expect("listed").into_inner().results;
        rows.iter().any(|row| row.job_id == number && row.state == state)
    };
    let shown = testbed::eventually(Duration::from_secs(20), shows).await;
    assert!(shown, "job {number} is not {state}");
}

#[tokio::test]
async fn a_job_is_submitted_listed_and_ended_in_scows_words() {
    let zone = Zone::new().await;
    let number = submit(&zone, wanted("sum")).await.expect("queued");
    until(&zone, number, "RUNNING").await;
    let rows = zone
        .jobs()
        .list_running_jobs(bearing(&zone.ada, running("ada")))
        .await;
    let rows = rows.expect("listed").into_inner().results;
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(row.job_id, number.to_string());
    assert_eq!(
        [
            &row.name,
            &row.user,
            &row.state,
            &row.partition,
            &row.qos,
            &row.account
        ]
        .map(String::as_str),
        ["sum", "ada", "RUNNING", "local", "normal", "physics"]
    );
    assert_eq!(
        [
            &row.nodes,
            &row.nodes_or_reason,
            &row.cores,
            &row.time_limit,
            &row.working_dir
        ]
        .map(String::as_str),
        ["1", "node1", "1", "02:00:00", "work"]
    );
    zone.jobs()
        .cancel_job(bearing(&zone.ada, cancel("ada", number)))
        .await
        .expect("ended");
    until(&zone, number, "CANCELED").await;
    let rows = zone
        .jobs()
        .list_running_jobs(bearing(&zone.ada, running("ada")))
        .await;
    assert!(rows.expect("listed").into_inner().results.is_empty());
    let rows = zone
        .jobs()
        .list_all_jobs(bearing(&zone.ada, all(None, None)))
        .await;
    let row = rows.expect("listed").into_inner().results.remove(0);
    assert_eq!((row.elapsed.as_str(), row.state.as_str()), ("01:00", "CANCELED"));
    assert!(row.start_time.is_some() && row.end_time.is_some());
    let again = zone
        .jobs()
        .cancel_job(bearing(&zone.ada, cancel("ada", number)))
        .await;
    let again = refusal(again);
    assert_eq!(again.code, Code::Internal);
    assert_eq!(
        again.trailers[1..],
        ["is_scow_error: 1", "scow_error_code: ADAPTER_CALL_ON_ONE_ERROR"]
    );
    assert!(again.trailers[0].starts_with(r#"clustererrors: [{"clusterId":"local","details":{"code":9,"#));
}

#[tokio::test]
async fn jobs_are_listed_by_their_time_of_submission() {
    let zone = Zone::new().await;
    submit(&zone, wanted("one")).await.expect("queued");
    let count = async |start, end| {
        let answer = zone
            .jobs()
            .list_all_jobs(bearing(&zone.ada, all(start, end)))
            .await;
        answer.expect("listed").into_inner().results.len()
    };
    let (early, late) = (Some((0, 0)), Some((4_000_000_000, 0)));
    assert_eq!(count(None, None).await, 1);
    assert_eq!(count(early, late).await, 1);
    assert_eq!(count(late, None).await, 0);
    assert_eq!(count(None, early).await, 0);
    for (start, end, fields) in [
        (Some((0, -1)), None, vec!["start_time"]),
        (
            Some((i64::MAX, 0)),
            Some((0, 1_000_000_000)),
            vec!["start_time", "end_time"],
        ),
        (late, early, vec!["end_time"]),
    ] {
        let answer = zone
            .jobs()
            .list_all_jobs(bearing(&zone.ada, all(start, end)))
            .await;
        assert_eq!(refusal(answer), Refusal::fields(&fields));
    }
}

#[tokio::test]
async fn everything_wrong_with_a_job_is_said_at_once() {
    let zone = Zone::new().await;
    let sizes = SubmitJobRequest {
        user_id: String::new(),
        cluster: "hpc01".to_owned(),
        partition: "gpu".to_owned(),
        node_count: 2,
        core_count: 0,
        gpu_count: Some(1),
        qos: Some("high".to_owned()),
        max_time: 0,
        memory: Some("1GB".to_owned()),
        ..wanted("sum")
    };
    let texts = SubmitJobRequest {
        command: " ".to_owned(),
        job_name: "n".repeat(65),
        account: "a\nb".to_owned(),
        working_directory: "a\0b".to_owned(),
        output: "out/".to_owned(),
        error_output: "e".repeat(5000),
        comment: Some("c".repeat(300)),
        max_time_unit: Some(7),
        ..wanted("")
    };
    for (bad, mut fields) in [
        (
            sizes,
            vec![
                "core_count",
                "gpu_count",
                "max_time",
                "memory",
                "node_count",
                "partition",
                "qos",
                "user_id",
            ],
        ),
        (
            texts,
            vec![
                "account",
                "command",
                "comment",
                "error_output",
                "job_name",
                "max_time_unit",
                "output",
                "working_directory",
            ],
        ),
    ] {
        let mut seen = refusal(submit(&zone, bad).await);
        seen.fields.sort();
        fields.sort_unstable();
        assert_eq!(seen, Refusal::fields(&fields));
    }
}

/// Spoils a good job.
type Spoil = fn(&mut SubmitJobRequest);

/// How a job is spoiled, and the one field that is then at fault.
const FAULTS: [(Spoil, &str); 17] = [
    (|job| job.partition = "gpu".into(), "partition"),
    (|job| job.node_count = 0, "node_count"),
    (|job| job.node_count = 2, "node_count"),
    (|job| job.core_count = 0, "core_count"),
    (|job| job.core_count = 5, "core_count"),
    (|job| job.core_count = u32::MAX, "core_count"),
    (|job| job.gpu_count = Some(1), "gpu_count"),
    (|job| job.command = String::new(), "command"),
    (|job| job.job_name = "a\tb".into(), "job_name"),
    (|job| job.qos = Some("high".into()), "qos"),
    (|job| job.max_time = 0, "max_time"),
    (|job| job.max_time = u32::MAX, "max_time"),
    (|job| job.max_time_unit = Some(9), "max_time_unit"),
    (|job| job.memory = Some("lots".into()), "memory"),
    (|job| job.memory = Some("9999999MB".into()), "memory"),
    (|job| job.memory = Some(format!("{}MB", u64::MAX)), "memory"),
    (|job| job.output = "a\0".into(), "output"),
];

#[tokio::test]
async fn each_field_of_a_job_is_judged_by_itself() {
    let zone = Zone::new().await;
    for (number, (spoil, field)) in FAULTS.into_iter().enumerate() {
        let mut job = wanted("sum");
        spoil(&mut job);
        let expected = Refusal::fields(&[field]);
        assert_eq!(refusal(submit(&zone, job).await), expected, "case {number}");
    }
    let others: [(Spoil, Refusal); 5] = [
        (
            |job| job.user_id = "bob".into(),
            Refusal::of(Code::PermissionDenied),
        ),
        (|job| job.cluster = "hpc01".into(), Refusal::unknown_cluster()),
        (|job| job.cluster = String::new(), Refusal::unknown_cluster()),
        (
            |job| job.save_as_template = true,
            Refusal::of(Code::Unimplemented),
        ),
        (
            |job| job.script_output = Some("s".into()),
            Refusal::of(Code::Unimplemented),
        ),
    ];
    for (spoil, expected) in others {
        let mut job = wanted("sum");
        spoil(&mut job);
        assert_eq!(refusal(submit(&zone, job).await), expected);
    }
    let rows = zone
        .jobs()
        .list_all_jobs(bearing(&zone.ada, all(None, None)))
        .await;
    assert!(
        rows.expect("listed").into_inner().results.is_empty(),
        "nothing was queued"
    );
}

#[tokio::test]
async fn what_is_left_out_takes_its_default() {
    let zone = Zone::new().await;
    let least = SubmitJobRequest {
        user_id: "ada".to_owned(),
        cluster: "local".to_owned(),
        node_count: 1,
        core_count: 1,
        max_time: 90,
        command: "true".to_owned(),
        ..SubmitJobRequest::default()
    };
    submit(&zone, least).await.expect("queued");
    let rows = zone
        .jobs()
        .list_all_jobs(bearing(&zone.ada, all(None, None)))
        .await;
    let row = rows.expect("listed").into_inner().results.remove(0);
    assert_eq!(
        [
            &row.name,
            &row.partition,
            &row.qos,
            &row.working_directory,
            &row.time_limit
        ]
        .map(String::as_str),
        ["script", "local", "normal", ".", "01:30:00"]
    );
}

#[tokio::test]
async fn two_unfinished_jobs_of_a_user_do_not_share_a_name() {
    let zone = Zone::new().await;
    let number = submit(&zone, wanted("sum")).await.expect("queued");
    let again = submit(&zone, wanted("sum")).await;
    assert_eq!(refusal(again), Refusal::of(Code::AlreadyExists));
    let mut theirs = wanted("sum");
    theirs.user_id = "bob".to_owned();
    let theirs = zone.jobs().submit_job(bearing(&zone.bob, theirs)).await;
    theirs.expect("another user may have the name");
    zone.jobs()
        .cancel_job(bearing(&zone.ada, cancel("ada", number)))
        .await
        .expect("ended");
    until(&zone, number, "CANCELED").await;
    submit(&zone, wanted("sum"))
        .await
        .expect("the name is free again");
}

#[tokio::test]
async fn nobody_sees_or_ends_the_job_of_another_user_here() {
    let zone = Zone::new().await;
    let mut theirs = wanted("sum");
    theirs.user_id = "bob".to_owned();
    let theirs = zone.jobs().submit_job(bearing(&zone.bob, theirs)).await;
    let theirs = theirs.expect("queued").into_inner().job_id;
    let mine = submit(&zone, wanted("mine")).await.expect("queued");
    // The owner's right reaches further, but a call speaks for one user.
    let answer = zone
        .jobs()
        .cancel_job(bearing(&zone.ada, cancel("ada", theirs)))
        .await;
    assert_eq!(refusal(answer), Refusal::of(Code::NotFound));
    let answer = zone
        .jobs()
        .cancel_job(bearing(&zone.bob, cancel("bob", mine)))
        .await;
    assert_eq!(refusal(answer), Refusal::of(Code::NotFound));
    let answer = zone
        .jobs()
        .cancel_job(bearing(&zone.bob, cancel("ada", mine)))
        .await;
    assert_eq!(refusal(answer), Refusal::of(Code::PermissionDenied));
    let rows = zone
        .jobs()
        .list_running_jobs(bearing(&zone.ada, running("ada")))
        .await;
    let names: Vec<_> = rows
        .expect("listed")
        .into_inner()
        .results
        .into_iter()
        .map(|row| row.name)
        .collect();
    assert_eq!(names, ["mine"]);
    for (message, expected) in [
        (cancel("ada", 0), Refusal::fields(&["job_id"])),
        (cancel("", 0), Refusal::fields(&["job_id", "user_id"])),
        (cancel("ada", 99), Refusal::of(Code::NotFound)),
    ] {
        let answer = zone.jobs().cancel_job(bearing(&zone.ada, message)).await;
        assert_eq!(refusal(answer), expected);
    }
    let answer = zone
        .jobs()
        .list_running_jobs(bearing(&zone.ada, running("bob")))
        .await;
    assert_eq!(refusal(answer), Refusal::of(Code::PermissionDenied));
}

#[tokio::test]
async fn without_a_bearer_no_job_call_says_anything_and_the_unwritten_ones_say_so() {
    let zone = Zone::new().await;
    let nobody = Refusal::of(Code::Unauthenticated);
    assert_eq!(refusal(zone.jobs().submit_job(wanted("sum")).await), nobody);
    assert_eq!(
        refusal(zone.jobs().list_running_jobs(running("ada")).await),
        nobody
    );
    assert_eq!(refusal(zone.jobs().list_all_jobs(all(None, None)).await), nobody);
    assert_eq!(refusal(zone.jobs().cancel_job(cancel("ada", 1)).await), nobody);
    assert_eq!(
        refusal(zone.jobs().list_accounts(accounts("ada", None)).await),
        nobody
    );
    let unwritten = ListJobTemplatesRequest::default();
    let templates = zone.jobs().list_job_templates(unwritten).await;
    assert_eq!(refusal(templates), Refusal::of(Code::Unimplemented));
}

fn accounts(user_id: &str, filter: Option<i32>) -> ListAccountsRequest {
    ListAccountsRequest {
        user_id: user_id.to_owned(),
        cluster: "local".to_owned(),
        status_filter: filter,
    }
}

#[tokio::test]
async fn the_accounts_that_a_user_may_use_are_listed_by_whether_they_are_blocked() {
    let zone = Zone::new().await;
    let mut server = AccountServiceClient::new(zone.management.clone());
    for (name, owner) in [("physics", "bob"), ("chemistry", "bob"), ("others", "ada")] {
        let asked = bearing(&zone.ada, new_account(name, owner));
        server.create_account(asked).await.expect("an account");
    }
    let paid = bearing(&zone.ada, payment(Some("physics"), money(1, 0)));
    let mut charging = ChargingServiceClient::new(zone.management.clone());
    charging.pay(paid).await.expect("paid");
    let listed = async |filter: Option<AccountStatusFilter>| {
        let asked = accounts("bob", filter.map(Into::into));
        let answer = zone.jobs().list_accounts(bearing(&zone.bob, asked)).await;
        answer.expect("accounts").into_inner().accounts
    };
    assert_eq!(listed(None).await, ["chemistry", "physics"]);
    assert_eq!(
        listed(Some(AccountStatusFilter::All)).await,
        ["chemistry", "physics"]
    );
    assert_eq!(
        listed(Some(AccountStatusFilter::UnblockedOnly)).await,
        ["physics"]
    );
    assert_eq!(
        listed(Some(AccountStatusFilter::BlockedOnly)).await,
        ["chemistry"]
    );

    for (what, token, asked, wanted) in [
        (
            "somebody else",
            &zone.bob,
            accounts("ada", None),
            Refusal::of(Code::PermissionDenied),
        ),
        (
            "nobody",
            &zone.bob,
            accounts("", None),
            Refusal::fields(&["user_id"]),
        ),
        (
            "no filter",
            &zone.bob,
            accounts("bob", Some(7)),
            Refusal::fields(&["status_filter"]),
        ),
        (
            "both",
            &zone.bob,
            accounts("", Some(7)),
            Refusal::fields(&["status_filter", "user_id"]),
        ),
        (
            "no cluster",
            &zone.bob,
            ListAccountsRequest {
                cluster: "moon".to_owned(),
                ..accounts("bob", None)
            },
            Refusal::unknown_cluster(),
        ),
    ] {
        let answer = zone.jobs().list_accounts(bearing(token, asked)).await;
        assert_eq!(refusal(answer), wanted, "{what}");
    }
}
