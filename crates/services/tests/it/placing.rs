//! Which machine a service gets, and machines that are away or leave the zone.

use model::ErrorKind;
use services::{Filter, List, State};

use crate::zone::{named, web, zone_on, zone_with};

#[tokio::test]
async fn services_spread_over_machines_and_stay_where_they_were_asked_for() {
    let zone = zone_with(&["east", "west"], |_config| {}).await;
    let wanted = zone.deploy_on("west", &web("one")).await.expect("deployed");
    let wanted = zone.until(&wanted, |service| service.state == State::Ready).await;
    assert_eq!(wanted.node_name, "west");
    assert_eq!(
        (zone.machines[0].runs().len(), zone.machines[1].runs().len()),
        (0, 1)
    );
    let any = zone.ready(&web("two")).await;
    assert_eq!(any.node_name, "east");
    let nowhere = zone
        .deploy_on("north", &web("three"))
        .await
        .expect_err("no such machine");
    assert_eq!(nowhere.kind(), ErrorKind::Invalid);
    assert!(nowhere.to_string().contains("east, west"), "{nowhere}");
    // The same service on another machine: the first process ends before the next one starts.
    let moved = zone.deploy_on("east", &web("one")).await.expect("deployed");
    let moved = zone.until(&moved, |service| service.state == State::Ready).await;
    assert_eq!((moved.id, moved.node_name.as_str()), (wanted.id, "east"));
    let clean = testbed::eventually(crate::machine::SOON, async || zone.machines[1].runs().is_empty());
    assert!(clean.await);
}

#[tokio::test]
async fn a_machine_that_is_away_keeps_its_services_and_nobody_else_waits_for_it() {
    let zone = zone_with(&["east", "west"], |_config| {}).await;
    let far = zone.deploy_on("west", &web("far")).await.expect("deployed");
    zone.until(&far, |service| service.state == State::Ready).await;
    zone.machines[1].go_away(true);
    let away = zone.get(&zone.ada, named("far")).await.expect("there");
    assert_eq!(
        (away.state, away.reason.as_str()),
        (State::Unready, "its node is away")
    );
    let unreached = zone.endpoint(&zone.ada, named("far")).await.expect_err("away");
    assert_eq!(unreached.kind(), ErrorKind::Precondition);
    let stopping = zone.stop(&zone.ada, named("far")).await.expect("wanted");
    assert_eq!(stopping.state, State::Stopping);
    let near = zone.ready(&web("near")).await;
    assert_eq!(near.node_name, "east");
    let waits = zone.deploy_on("west", &web("later")).await.expect("deployed");
    zone.until(&waits, |service| service.reason == "waits for node west")
        .await;
    assert_eq!(zone.machines[1].runs().len(), 1);
    zone.machines[1].go_away(false);
    zone.until(&far, |service| service.state == State::Stopped).await;
    zone.until(&waits, |service| service.state == State::Ready).await;
}

#[tokio::test]
async fn a_machine_that_left_the_zone_gives_its_services_to_others_unless_they_asked_for_it() {
    let zone = zone_with(&["east", "west"], |_config| {}).await;
    let bound = zone.deploy_on("west", &web("bound")).await.expect("deployed");
    zone.until(&bound, |service| service.state == State::Ready).await;
    zone.ready(&web("one")).await;
    let free = zone.ready(&web("two")).await;
    assert!(free.node_name == "east" || free.node_name == "west");
    zone.machines[1].leave_the_zone();
    let failed = zone.until(&bound, |service| service.state == State::Failed).await;
    assert_eq!(failed.reason, "node west is no longer part of the zone");
    zone.until(&free, |service| {
        service.state == State::Ready && service.node_name == "east"
    })
    .await;
}

#[tokio::test]
async fn lists_come_page_by_page_and_leave_out_what_is_stopped() {
    let zone = zone_with(&["east"], |_config| {}).await;
    for name in ["one", "two", "three"] {
        zone.deploy(&zone.ada, &web(name)).await.expect("deployed");
    }
    zone.stopped("two").await;
    let permit = zone.permit::<List>(&zone.ada).await;
    let list = async |filter: Filter| zone.services.list(&permit, filter).await.expect("a list");
    let names = |page: &services::Page| -> Vec<String> {
        page.services
            .iter()
            .map(|service| service.name.to_string())
            .collect()
    };
    assert_eq!(names(&list(Filter::default()).await), ["three", "one"]);
    let mut filter = Filter {
        page_size: 2,
        with_stopped: true,
        ..Filter::default()
    };
    let first = list(filter).await;
    assert_eq!(names(&first), ["three", "two"]);
    filter.before = first.next;
    let last = list(filter).await;
    assert_eq!((names(&last), last.next), (vec!["one".to_owned()], None));
    filter.page_size = 1001;
    let fault = zone.services.list(&permit, filter).await.expect_err("too large");
    assert_eq!(fault.kind(), ErrorKind::Invalid);
}

/// What touches rows, once on the other engine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_story_is_told_on_postgresql() {
    let address = tokio::task::block_in_place(|| testbed::Postgres::shared().database());
    let engine = store::Engine::Postgres {
        url: address.expect("a database"),
        connections: 2,
    };
    let zone = zone_on(&["east"], |_folder| engine, |_config| {}).await;
    let first = zone.ready(&web("web")).await;
    let fixed = format!("{}port: {}\n", web("web"), testbed::free_port());
    let second = zone.ready(&fixed).await;
    assert_eq!((second.id, second.generation), (first.id, 2));
    let taken = zone.deploy(&zone.bob, &fixed).await.expect_err("taken");
    assert_eq!(taken.kind(), ErrorKind::Exists);
    zone.stopped("web").await;
    let next = zone.ready(&web("web")).await;
    assert_ne!(next.id, first.id);
    let permit = zone.permit::<List>(&zone.ada).await;
    let filter = Filter {
        with_stopped: true,
        ..Filter::default()
    };
    let page = zone.services.list(&permit, filter).await.expect("a list");
    assert_eq!(page.services.len(), 2);
    let latest = zone
        .get(&zone.ada, services::Which::Latest)
        .await
        .expect("it is there");
    assert_eq!(latest.id, next.id);
}
