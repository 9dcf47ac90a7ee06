//! Health of the zone and of its parts, as gRPC's own protocol for it has it.

use std::time::Duration;

use native::Health;
use tokio::time::timeout;
use tonic::{Code, Request, Status, Streaming};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_client::HealthClient,
};
use wire::soke::v1::SignOutRequest;

use crate::zone::{Zone, bearing, refusal};

const SOON: Duration = Duration::from_secs(30);

const JOBS: &str = "soke.v1.JobService";
const MONEY: &str = "soke.v1.AccountService";
/// Of another protocol on the same listener.
const FILES: &str = "scow.portal.FileService";

fn of(service: &str) -> HealthCheckRequest {
    let service = service.to_owned();
    HealthCheckRequest { service }
}

async fn check(zone: &Zone, request: Request<HealthCheckRequest>) -> Result<ServingStatus, Status> {
    let mut client = HealthClient::new(zone.calls.clone());
    Ok(client.check(request).await?.into_inner().status())
}

async fn watch(zone: &Zone, token: &str, service: &str) -> Streaming<HealthCheckResponse> {
    let mut client = HealthClient::new(zone.calls.clone());
    let watch = client.watch(bearing(token, of(service))).await;
    watch.expect("a stream").into_inner()
}

async fn next(watch: &mut Streaming<HealthCheckResponse>) -> Result<Option<ServingStatus>, Status> {
    let next = timeout(SOON, watch.message()).await.expect("within the bound");
    Ok(next?.map(|answer| answer.status()))
}

#[tokio::test]
async fn the_whole_is_told_to_anybody_and_each_part_to_whoever_may_ask_how_the_zone_is() {
    let zone = Zone::new().await;
    let (serving, not_serving) = (Ok(ServingStatus::Serving), Ok(ServingStatus::NotServing));
    let same = |found: Result<ServingStatus, Status>, wanted: &Result<ServingStatus, Code>| {
        assert_eq!(&found.map_err(|status| status.code()), wanted);
    };
    same(check(&zone, Request::new(of(""))).await, &serving);
    for service in [JOBS, "soke.v1.NoSuchService"] {
        let refused = check(&zone, Request::new(of(service))).await;
        assert_eq!(refusal(refused), (Code::Unauthenticated, vec![]), "{service}");
    }
    let owner = zone.owner().await;
    let member = zone.member(&owner, "bob").await;
    let parts = [
        "Account", "Audit", "Job", "Node", "Service", "Session", "User", "Zone",
    ];
    for part in parts.map(|part| format!("soke.v1.{part}Service")) {
        same(check(&zone, bearing(&member, of(&part))).await, &serving);
    }
    same(check(&zone, bearing(&member, of(FILES))).await, &serving);
    let unknown = check(&zone, bearing(&member, of("soke.v1.NoSuchService"))).await;
    assert_eq!(refusal(unknown), (Code::NotFound, vec![]));
    *zone.work.lock().unwrap() = Health::Bad;
    same(check(&zone, bearing(&member, of(JOBS))).await, &not_serving);
    same(check(&zone, bearing(&member, of(FILES))).await, &not_serving);
    same(check(&zone, bearing(&member, of(MONEY))).await, &serving);
    same(check(&zone, Request::new(of(""))).await, &serving);
    zone.stopping.cancel();
    same(check(&zone, bearing(&member, of(MONEY))).await, &not_serving);
    same(check(&zone, Request::new(of(""))).await, &not_serving);
}

#[tokio::test]
async fn a_watch_tells_each_change_and_the_end() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let mut client = HealthClient::new(zone.calls.clone());
    let refused = client.watch(of("")).await;
    assert_eq!(refusal(refused), (Code::Unauthenticated, vec![]));
    let mut jobs = watch(&zone, &owner, JOBS).await;
    let mut unknown = watch(&zone, &owner, "no.such.Service").await;
    assert_eq!(next(&mut jobs).await.unwrap(), Some(ServingStatus::Serving));
    assert_eq!(
        next(&mut unknown).await.unwrap(),
        Some(ServingStatus::ServiceUnknown)
    );
    *zone.work.lock().unwrap() = Health::Bad;
    assert_eq!(next(&mut jobs).await.unwrap(), Some(ServingStatus::NotServing));
    *zone.work.lock().unwrap() = Health::Ok;
    assert_eq!(next(&mut jobs).await.unwrap(), Some(ServingStatus::Serving));
    zone.stopping.cancel();
    assert_eq!(next(&mut jobs).await.unwrap(), Some(ServingStatus::NotServing));
    assert_eq!(next(&mut jobs).await.unwrap(), None);
    assert_eq!(next(&mut unknown).await.unwrap(), None);
}

#[tokio::test]
async fn a_watch_ends_with_the_session_of_its_caller() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let member = zone.member(&owner, "bob").await;
    let mut whole = watch(&zone, &member, "").await;
    assert_eq!(next(&mut whole).await.unwrap(), Some(ServingStatus::Serving));
    let out = zone
        .sessions()
        .sign_out(bearing(&member, SignOutRequest {}))
        .await;
    out.expect("signed out");
    assert_eq!(next(&mut whole).await.unwrap_err().code(), Code::Unauthenticated);
}
