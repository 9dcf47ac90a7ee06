//! O07: an orderly stop under load loses nothing that was acknowledged; a second signal ends the process at once.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use rustix::process::Signal;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use wire::soke::v1::{self, job_service_client::JobServiceClient};

use crate::harness::{Wire, Zone, eventually, wire::signed};

/// The promise: from SIGTERM to the end of the process.
const DRAIN: Duration = Duration::from_secs(5);

fn submit(wire: &Wire, bearer: &str) -> Result<u32, tonic::Status> {
    let request = v1::SubmitJobRequest {
        arguments: vec!["true".to_owned()],
        ..v1::SubmitJobRequest::default()
    };
    let mut jobs = JobServiceClient::new(wire.channel());
    let answer = wire.wait(jobs.submit_job(signed(request, bearer)))?;
    Ok(answer.into_inner().job.expect("a job").number)
}

#[test]
fn o07_sigterm_under_load_drains_in_5_seconds_and_loses_nothing_acknowledged() {
    let mut zone = Zone::builder().start();
    let wire = zone.wire();
    let bearer = wire.sign_in(&zone.owner_code()).access_token;
    let stopping = AtomicBool::new(false);
    let acknowledged: BTreeSet<u32> = thread::scope(|scope| {
        let load: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let wire = zone.wire();
                    let mut numbers = Vec::new();
                    while let Ok(number) = submit(&wire, &bearer) {
                        numbers.push(number);
                        if stopping.load(Ordering::SeqCst) && numbers.len() > 10_000 {
                            break;
                        }
                    }
                    numbers
                })
            })
            .collect();
        let mut jobs = JobServiceClient::new(wire.channel());
        eventually(Duration::from_secs(20), "some jobs are submitted", || {
            let request = signed(v1::ListJobsRequest::default(), &bearer);
            let listed = wire
                .wait(jobs.list_jobs(request))
                .expect("a list")
                .into_inner()
                .jobs;
            (listed.len() > 20).then_some(())
        });
        stopping.store(true, Ordering::SeqCst);
        zone.signal(Signal::TERM);
        load.into_iter()
            .flat_map(|thread| thread.join().expect("the load ends"))
            .collect()
    });
    let status = zone.ended(DRAIN);
    assert_eq!(status.code(), Some(0), "{}", zone.log());

    zone.start();
    let wire = zone.wire();
    let mut jobs = JobServiceClient::new(wire.channel());
    for number in acknowledged {
        let request = signed(v1::GetJobRequest { number }, &bearer);
        wire.wait(jobs.get_job(request))
            .unwrap_or_else(|status| panic!("job {number} was acknowledged: {status}"));
    }
}

#[test]
fn o07_an_open_stream_does_not_hold_up_the_stop() {
    let mut zone = Zone::builder().start();
    zone.sign_in_owner();
    let number: u32 = zone
        .good(&["run", "--detach", "--", "sleep", "60"])
        .trim()
        .parse()
        .expect("a number");
    let wire = zone.wire();
    let code = {
        let said = zone.good(&["user", "code", "keeper"]);
        let (_before, after) = said.split_once("#code=").expect("a link");
        after.split('&').next().expect("a code").to_owned()
    };
    let bearer = wire.sign_in(&code).access_token;
    let mut jobs = JobServiceClient::new(wire.channel());
    let request = signed(v1::WatchJobRequest { number }, &bearer);
    let mut changes = wire.wait(jobs.watch_job(request)).expect("a stream").into_inner();
    wire.wait(changes.message()).expect("a first state");
    let mut health = HealthClient::new(wire.channel());
    let whole = signed(HealthCheckRequest::default(), &bearer);
    let mut states = wire.wait(health.watch(whole)).expect("a stream").into_inner();
    let mut state = || {
        let told = wire.wait(states.message()).expect("told");
        told.map(|answer| answer.status())
    };
    assert_eq!(state(), Some(ServingStatus::Serving));
    zone.signal(Signal::TERM);
    assert_eq!(state(), Some(ServingStatus::NotServing));
    assert_eq!(state(), None, "the watch ends by itself");
    assert_eq!(zone.ended(DRAIN).code(), Some(0), "{}", zone.log());

    zone.start();
    zone.good(&["cancel", &number.to_string()]);
}

#[test]
fn o07_a_second_signal_ends_the_process_at_once() {
    let mut zone = Zone::builder().start();
    zone.signal(Signal::TERM);
    // However fast the orderly stop is, after the second signal nothing is waited for.
    if zone.ended_already().is_none() {
        zone.signal(Signal::TERM);
    }
    let status = zone.ended(Duration::from_secs(2));
    assert!(
        matches!(status.code(), Some(0 | 143)),
        "{status:?}\n{}",
        zone.log()
    );
}

#[test]
fn stop_ends_the_server_and_a_dead_server_is_no_obstacle() {
    let mut zone = Zone::builder().start();
    zone.kill();
    zone.start();
    assert_eq!(zone.good(&["stop"]), "stopped\n");
    assert_eq!(zone.ended(Duration::from_secs(2)).code(), Some(0));
}
