//! A node from its first heartbeat to its end.

use std::sync::atomic::Ordering;

use model::ErrorKind;
use tonic::Code;
use wire::soke::agent::v1::ListJobsRequest;

use crate::bed::{Computer, SOON, Zone, short_lived};

#[tokio::test]
async fn a_node_that_keeps_its_link_is_live_and_can_be_called() {
    let zone = Zone::new().await;
    let computer = Computer::new();
    let member = computer.join(&zone.invitation("one").await).await.unwrap();
    let _kept = computer.keep();
    zone.until_linked(&member.node_id, true).await;
    let live = async || zone.listed().await == [("one".to_owned(), true)];
    assert!(testbed::eventually(SOON, live).await);
    let mut reached = zone.reached(&member.node_id);
    for _ in 0..3 {
        reached.list_jobs(ListJobsRequest {}).await.unwrap();
    }
    assert_eq!(computer.work.0.load(Ordering::SeqCst), 3);
    let stopped = computer.tasks.stop(SOON).await;
    assert!(stopped.late.is_empty(), "{stopped:?}");
    zone.until_linked(&member.node_id, false).await;
    let status = reached.list_jobs(ListJobsRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_removed_node_loses_its_links_and_is_told() {
    let zone = Zone::new().await;
    let (kept, gone) = (Computer::new(), Computer::new());
    let stays = kept.join(&zone.invitation("stays").await).await.unwrap();
    let goes = gone.join(&zone.invitation("goes").await).await.unwrap();
    let (_stays, ended) = (kept.keep(), gone.keep());
    zone.until_linked(&stays.node_id, true).await;
    zone.until_linked(&goes.node_id, true).await;
    let permit = zone.permit::<nodes::Remove>().await;
    zone.nodes.remove(&permit, "goes").await.unwrap();
    zone.until_linked(&goes.node_id, false).await;
    zone.until_linked(&stays.node_id, true).await;
    drop((ended, gone));
    assert_eq!(zone.listed().await.len(), 1);
}

#[tokio::test]
async fn certificates_are_renewed_while_the_link_stands() {
    let zone = Zone::with(short_lived()).await;
    let computer = Computer::new();
    let member = computer.join(&zone.invitation("one").await).await.unwrap();
    let _kept = computer.keep();
    zone.until_linked(&member.node_id, true).await;
    let first = member.certificate_ends_at;
    let renewed = async || computer.member().certificate_ends_at > first;
    assert!(testbed::eventually(SOON, renewed).await);
    zone.reached(&member.node_id)
        .list_jobs(ListJobsRequest {})
        .await
        .unwrap();
}

#[tokio::test]
async fn a_machine_that_has_not_joined_keeps_nothing() {
    let computer = Computer::new();
    let ended = computer.keep().await.unwrap().unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Precondition);
}

#[tokio::test]
async fn j10_a_copy_of_a_machine_is_fenced_off_with_an_alarm_until_the_first_is_gone() {
    let zone = Zone::new().await;
    let one = Computer::new();
    let member = one.join(&zone.invitation("one").await).await.unwrap();
    let _kept = one.keep();
    zone.until_linked(&member.node_id, true).await;
    let copy = one.copied();
    let _also_kept = copy.keep();
    let alarmed = async || !zone.machines.alarms().is_empty();
    assert!(testbed::eventually(SOON, alarmed).await);
    let alarms = zone.machines.alarms();
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!(
        alarms[0].matches("127.0.0.1:").count(),
        2,
        "both addresses: {alarms:?}"
    );
    let mut reached = zone.reached(&member.node_id);
    for _ in 0..10 {
        reached.list_jobs(ListJobsRequest {}).await.unwrap();
    }
    assert_eq!(one.work.0.load(Ordering::SeqCst), 10);
    assert_eq!(copy.work.0.load(Ordering::SeqCst), 0);
    one.tasks.stop(SOON).await;
    let takes_over = async || {
        let answered = reached.clone().list_jobs(ListJobsRequest {}).await;
        answered.is_ok() && copy.work.0.load(Ordering::SeqCst) > 0
    };
    assert!(testbed::eventually(SOON, takes_over).await);
    assert!(zone.machines.alarms().is_empty());
}
