//! Ended jobs with their prices, fetched; jobs that wait or run; which clusters there are.

use std::time::Duration;

use jobs::{Draft, State, Submit};
use stage::Work;
use tonic::Code;
use wire::scow::{
    common::SortOrder,
    server::{
        CancelJobRequest, FetchJobsRequest, GetClustersRuntimeInfoRequest, GetJobsRequest, GetJobsResponse,
        GetRunningJobsRequest, JobFilter, get_jobs_request::SortBy,
    },
};

use super::bed::{Bed, SUBMITTED, money, refused};
use crate::zone::{Refusal, bearing, refusal};

fn of_default() -> JobFilter {
    JobFilter {
        tenant_name: "default".to_owned(),
        ..JobFilter::default()
    }
}

async fn ended(bed: &Bed, token: &str, filter: JobFilter) -> GetJobsResponse {
    let asked = GetJobsRequest {
        filter: Some(filter),
        page: 1,
        ..GetJobsRequest::default()
    };
    let answer = bed.job_calls().get_jobs(bearing(token, asked)).await;
    answer.expect("jobs").into_inner()
}

#[tokio::test]
async fn an_ended_job_shows_what_it_had_and_what_it_cost() {
    let bed = Bed::paid().await;
    bed.charged(7, "carol", "physics").await;
    let found = ended(&bed, &bed.ada, of_default()).await;
    assert_eq!(found.total_count, 1);
    assert_eq!(
        (found.total_account_price, found.total_tenant_price),
        (Some(money(100, 0)), Some(money(10, 0)))
    );
    let job = &found.jobs[0];
    assert_eq!(
        [
            &job.account,
            &job.user,
            &job.partition,
            &job.nodelist,
            &job.job_name,
            &job.cluster,
            &job.qos
        ]
        .map(String::as_str),
        ["physics", "carol", "local", "node1", "job-7", "local", "normal"]
    );
    assert_eq!((job.id_job, job.cpus_req, job.cpus_alloc, job.gpu), (7, 1, 1, 0));
    assert_eq!(
        (job.mem_req, job.mem_alloc, job.nodes_req, job.nodes_alloc),
        (512, 512, 1, 1)
    );
    assert_eq!((job.timelimit, job.time_used, job.time_wait), (120, 3600, 7));
    assert_eq!(job.time_submit.expect("a time").seconds, SUBMITTED);
    assert_eq!(job.time_end.expect("a time").seconds, SUBMITTED + 3607);
    assert_eq!(
        (job.account_price, job.tenant_price),
        (Some(money(100, 0)), Some(money(10, 0)))
    );
    assert!(job.bi_job_index > 0 && job.record_time.is_some());
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn at(seconds: i64) -> Option<prost_types::Timestamp> {
    let seconds = SUBMITTED + seconds;
    Some(prost_types::Timestamp { seconds, nanos: 0 })
}

fn numbers(found: &GetJobsResponse) -> Vec<u32> {
    found.jobs.iter().map(|job| job.id_job).collect()
}

/// carol's job on `physics` and bob's on `chemistry`.
async fn two_jobs() -> Bed {
    let bed = Bed::paid().await;
    bed.account("chemistry", "bob").await;
    bed.pay(Some("chemistry"), money(500, 0)).await;
    bed.charged(1, "carol", "physics").await;
    bed.charged(2, "bob", "chemistry").await;
    bed
}

#[tokio::test]
async fn ended_jobs_are_filtered() {
    let bed = two_jobs().await;
    let filter = |change: fn(&mut JobFilter)| {
        let mut filter = of_default();
        change(&mut filter);
        filter
    };
    let rows = [
        (filter(|_| ()), vec![1, 2]),
        (filter(|asked| asked.tenant_name = "elsewhere".to_owned()), vec![]),
        (filter(|asked| asked.tenant_name.clear()), vec![]),
        (filter(|asked| asked.user_id = text("bob")), vec![2]),
        (filter(|asked| asked.user_id = text("")), vec![1, 2]),
        (filter(|asked| asked.account_name = text("physics")), vec![1]),
        (filter(|asked| asked.account_name = text("")), vec![]),
        (filter(|asked| asked.clusters = vec!["moon".to_owned()]), vec![]),
        (
            filter(|asked| asked.clusters = vec!["local".to_owned()]),
            vec![1, 2],
        ),
        // Each ended 3,600 s and as many as its number after the same instant; both bounds are within.
        (filter(|asked| asked.job_end_time_start = at(3602)), vec![2]),
        (filter(|asked| asked.job_end_time_end = at(3601)), vec![1]),
        // By number, whenever it ended.
        (
            filter(|asked| (asked.job_id, asked.job_end_time_end) = (Some(2), at(0))),
            vec![2],
        ),
        (filter(|asked| asked.job_id = Some(u64::MAX)), vec![]),
        (filter(|asked| asked.start_bi_job_index = Some(2)), vec![2]),
    ];
    for (filter, wanted) in rows {
        let found = ended(&bed, &bed.ada, filter.clone()).await;
        let count = wanted.len() as u64;
        assert_eq!(numbers(&found), wanted, "{filter:?}");
        assert_eq!(
            (found.total_count, found.total_account_price),
            (count, Some(money(100 * count, 0)))
        );
    }
    // What is not his own he does not see, and what he may see he does.
    assert_eq!(numbers(&ended(&bed, &bed.bob, of_default()).await), [2]);
}

#[tokio::test]
async fn ended_jobs_come_in_orders_and_pages() {
    let bed = two_jobs().await;
    for (sort, order, page, size, wanted) in [
        (SortBy::IdJob, SortOrder::Descend, 1, None, vec![2, 1]),
        (SortBy::User, SortOrder::Ascend, 1, Some(0), vec![2, 1]),
        (SortBy::Price, SortOrder::Ascend, 2, Some(1), vec![2]),
        (SortBy::TimeEnd, SortOrder::Descend, 2, Some(1), vec![1]),
        (SortBy::Account, SortOrder::Ascend, 3, Some(1), vec![]),
    ] {
        let asked = GetJobsRequest {
            filter: Some(of_default()),
            page,
            page_size: size,
            sort_by: Some(sort.into()),
            sort_order: Some(order.into()),
        };
        let answer = bed.job_calls().get_jobs(bearing(&bed.ada, asked)).await;
        let found = answer.expect("jobs").into_inner();
        assert_eq!(
            (numbers(&found), found.total_count),
            (wanted, 2),
            "{sort:?} {order:?} {page}"
        );
    }
}

#[tokio::test]
async fn a_fetch_tells_how_many_jobs_are_new_and_charges_what_had_no_price() {
    let bed = Bed::new().await;
    bed.account("physics", "bob").await;
    bed.pay(Some("physics"), money(500, 0)).await;
    let fetch = async || {
        let fetched = bed
            .admin()
            .fetch_jobs(bearing(&bed.ada, FetchJobsRequest {}))
            .await;
        fetched.expect("fetched").into_inner().new_jobs_count
    };
    assert_eq!(fetch().await, 0);
    // No price: it waits, and is not for nothing.
    bed.charged(1, "bob", "physics").await;
    assert_eq!(fetch().await, 0);
    assert_eq!(ended(&bed, &bed.ada, of_default()).await.total_count, 0);
    bed.price("late", None, money(100, 0)).await;
    assert_eq!(fetch().await, 1);
    assert_eq!(fetch().await, 0);
    let found = ended(&bed, &bed.ada, of_default()).await;
    assert_eq!(found.total_account_price, Some(money(100, 0)));
    let by_bob = bed
        .admin()
        .fetch_jobs(bearing(&bed.bob, FetchJobsRequest {}))
        .await;
    refused("fetched by a member", by_bob, Code::PermissionDenied, &[]);
}

/// Submits a job of bob's on `physics`.
async fn running(bed: &Bed) -> u32 {
    let draft = Draft {
        account: "physics".to_owned(),
        ..Draft::of(Work::Script("sleep 60".to_owned()))
    };
    let permit = bed.permit::<Submit>(&bed.bob).await;
    let job = bed.jobs.submit(permit, draft).await.expect("queued");
    job.number
}

#[tokio::test]
async fn jobs_that_wait_or_run_are_listed_by_whose_they_are() {
    let bed = Bed::paid().await;
    let number = running(&bed).await;
    let asked = |change: fn(&mut GetRunningJobsRequest)| {
        let mut asked = GetRunningJobsRequest {
            cluster: "local".to_owned(),
            ..GetRunningJobsRequest::default()
        };
        change(&mut asked);
        asked
    };
    let mut by_number = asked(|_| ());
    by_number.job_id_list = vec![number.to_string()];
    for (asked, count) in [
        (asked(|_| ()), 1),
        (asked(|asked| asked.user_id = text("bob")), 1),
        (asked(|asked| asked.user_id = text("ada")), 0),
        (asked(|asked| asked.account_name = text("physics")), 1),
        (asked(|asked| asked.account_name = text("chemistry")), 0),
        (asked(|asked| asked.tenant_name = text("default")), 1),
        // A tenant without accounts has no jobs.
        (asked(|asked| asked.tenant_name = text("elsewhere")), 0),
        (by_number, 1),
        (asked(|asked| asked.job_id_list = vec!["x".to_owned()]), 0),
    ] {
        let answer = bed
            .job_calls()
            .get_running_jobs(bearing(&bed.ada, asked.clone()))
            .await;
        let rows = answer.expect("jobs").into_inner().jobs;
        assert_eq!(rows.len(), count, "{asked:?}");
        assert!(
            rows.iter()
                .all(|row| row.user == "bob" && row.account == "physics"),
            "{rows:?}"
        );
    }
    let elsewhere = GetRunningJobsRequest {
        cluster: "moon".to_owned(),
        ..GetRunningJobsRequest::default()
    };
    let answer = bed
        .job_calls()
        .get_running_jobs(bearing(&bed.ada, elsewhere))
        .await;
    assert_eq!(refusal(answer), Refusal::unknown_cluster());
}

#[tokio::test]
async fn a_job_is_ended_under_its_users_name() {
    let bed = Bed::paid().await;
    let number = running(&bed).await;
    let cancel = |user: &str, job_id| CancelJobRequest {
        cluster: "local".to_owned(),
        user_id: user.to_owned(),
        job_id,
    };
    let call = bed
        .job_calls()
        .cancel_job(bearing(&bed.ada, cancel("ada", number)))
        .await;
    refused("under another name", call, Code::NotFound, &[]);
    let call = bed
        .job_calls()
        .cancel_job(bearing(&bed.ada, cancel("bob", number + 1)))
        .await;
    refused("another job", call, Code::NotFound, &[]);
    let ended = bed
        .job_calls()
        .cancel_job(bearing(&bed.ada, cancel("bob", number)))
        .await;
    ended.expect("ended");
    let gone = async || {
        let permit = bed.permit(&bed.bob).await;
        bed.jobs.get(permit, number).await.expect("the job").state == State::Cancelled
    };
    assert!(testbed::eventually(Duration::from_secs(30), gone).await);
}

#[tokio::test]
async fn the_zones_cluster_is_in_service() {
    let bed = Bed::new().await;
    let asked = bearing(&bed.bob, GetClustersRuntimeInfoRequest {});
    let answer = bed.config().get_clusters_runtime_info(asked).await;
    let clusters = answer.expect("clusters").into_inner().results;
    assert_eq!(clusters.len(), 1);
    assert_eq!(
        (clusters[0].cluster_id.as_str(), clusters[0].activation_status),
        ("local", 0)
    );
}
