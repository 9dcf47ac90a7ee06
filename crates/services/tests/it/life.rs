//! The life of a service: ready, ended, started again, deployed anew, stopped, and over the end of its server.

use std::time::Duration;

use access::Actor;
use model::{ErrorKind, ServiceId};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use services::{Error, Filter, Get, List, State, Which};

use crate::{
    machine::{Machine, SOON},
    zone::{Zone, ask, named, web, zone, zone_with},
};

fn put_page(zone: &Zone, text: &str) {
    // The home is the worker's and closed; as root and as the worker's own uid it can be written.
    let site = zone.machines[0].path().join("homes/ada/site");
    std::fs::write(site.join("index.html"), text).expect("the page is written");
}

fn web_processes(zone: &Zone) -> Vec<u32> {
    Machine::processes_of("web", zone.machines[0].path())
}

#[tokio::test]
async fn a_service_gets_ready_answers_and_leaves_nothing_when_it_is_stopped() {
    let zone = zone().await;
    let service = zone.ready(&web("web")).await;
    put_page(&zone, "hello from the zone");
    let endpoint = zone.endpoint(&zone.ada, named("web")).await.expect("an endpoint");
    assert_eq!(
        (endpoint.service, endpoint.node, Some(endpoint.port)),
        (service.id, zone.machines[0].id, service.port)
    );
    let node = &zone.machines[0].node;
    assert!(node.serves(service.id, endpoint.port) && !node.serves(service.id, 22));
    let other = ServiceId::fresh(service.deployed_at);
    assert!(!node.serves(other, endpoint.port), "somebody else's port");
    let answer = ask(endpoint.port, "/").expect("an answer");
    assert!(
        answer.contains("200 OK") && answer.contains("hello from the zone"),
        "{answer}"
    );
    assert_eq!((service.starts, service.generation), (1, 1));
    assert!(!web_processes(&zone).is_empty());

    let stopped = zone.stopped("web").await;
    assert!(
        stopped.port.is_none() && stopped.stopped_at.is_some(),
        "{stopped:?}"
    );
    assert!(ask(endpoint.port, "/").is_err());
    let clean = testbed::eventually(SOON, async || {
        zone.machines[0].runs().is_empty() && web_processes(&zone).is_empty()
    });
    assert!(
        clean.await,
        "{:?} {:?}",
        zone.machines[0].runs(),
        web_processes(&zone)
    );
    let gone = zone.endpoint(&zone.ada, named("web")).await.expect_err("stopped");
    assert_eq!(gone.kind(), ErrorKind::Precondition);
    // The name is free again, and an earlier service keeps its row.
    let next = zone.ready(&web("web")).await;
    assert_ne!(next.id, service.id);
    assert!(
        zone.machines[0].log("web.log").contains("GET / HTTP") || !zone.machines[0].log("web.log").is_empty()
    );
}

#[tokio::test]
async fn a_process_that_ends_is_started_again_after_growing_waits() {
    let zone = zone().await;
    let text = "kind: Process\nname: web\ncommand: \"echo run; exit 3\"\n";
    let service = zone.deploy(&zone.ada, text).await.expect("deployed");
    let often = zone.until(&service, |service| service.starts >= 4).await;
    assert!(
        matches!(often.state, State::Restarting | State::Starting),
        "{often:?}"
    );
    let waiting = zone
        .until(&service, |service| service.state == State::Restarting)
        .await;
    assert_eq!(waiting.reason, "its process ended by itself with exit code 3");
    assert_eq!(waiting.exit_code, Some(3));
    assert!(waiting.next_start_at.is_some());
    let fault = zone
        .endpoint(&zone.ada, named("web"))
        .await
        .expect_err("it is away");
    assert_eq!(fault.kind(), ErrorKind::Precondition);
    // What the run before wrote is kept beside what the present one writes.
    assert_eq!(zone.machines[0].log("web.log.1"), "run\n");
    assert_eq!(zone.stopped("web").await.state, State::Stopped);
}

#[tokio::test]
async fn a_killed_process_comes_back_and_answers_again() {
    let zone = zone().await;
    let service = zone.ready(&web("web")).await;
    for pid in web_processes(&zone) {
        let pid = Pid::from_raw(i32::try_from(pid).expect("a pid"));
        kill(pid, Signal::SIGKILL).expect("it is killed");
    }
    let back = zone
        .until(&service, |service| {
            service.starts == 2 && service.state == State::Ready
        })
        .await;
    assert!(
        ask(back.port.expect("a port"), "/")
            .expect("an answer")
            .contains("200 OK")
    );
    assert_eq!(web_processes(&zone).len(), 1);
}

#[tokio::test]
async fn what_cannot_be_started_has_failed_and_a_new_deployment_tries_again() {
    let zone = zone().await;
    let text = "kind: Process\nname: web\ncommand: [/nowhere/at/all]\n";
    let service = zone.deploy(&zone.ada, text).await.expect("deployed");
    let permit = zone.permit::<Get>(&zone.ada).await;
    let fault = zone
        .services
        .ready(&permit, service.id, SOON)
        .await
        .expect_err("it fails");
    assert_eq!(fault.kind(), ErrorKind::Precondition);
    assert!(
        model::chain(&fault).contains("/nowhere/at/all"),
        "{}",
        model::chain(&fault)
    );
    let again = zone.ready(&web("web")).await;
    assert_eq!((again.id, again.generation), (service.id, 2));
}

#[tokio::test]
async fn a_new_deployment_replaces_the_process_and_the_same_one_changes_nothing() {
    let zone = zone().await;
    let first = zone.ready(&web("web")).await;
    let same = zone.deploy(&zone.ada, &web("web")).await.expect("deployed");
    assert_eq!(
        (same.id, same.generation, same.state),
        (first.id, 1, State::Ready)
    );
    let text = format!("{}environment: {{ GREETING: hello }}\n", web("web"));
    let changed = zone.ready(&text).await;
    assert_eq!((changed.id, changed.generation, changed.starts), (first.id, 2, 2));
    let pids = web_processes(&zone);
    assert_eq!(pids.len(), 1, "{pids:?}");
    let environment = std::fs::read(format!("/proc/{}/environ", pids[0])).expect("its environment");
    assert!(String::from_utf8_lossy(&environment).contains("GREETING=hello"));
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_not_ready_and_says_why() {
    let zone = zone().await;
    let sleeper = "kind: Process\nname: web\ncommand: [sleep, \"600\"]\n";
    let service = zone.deploy(&zone.ada, sleeper).await.expect("deployed");
    let silent = zone
        .until(&service, |service| service.reason.contains("nobody listens"))
        .await;
    assert_eq!(silent.state, State::Starting);
    let permit = zone.permit::<Get>(&zone.ada).await;
    let wait = Duration::from_millis(200);
    let fault = zone
        .services
        .ready(&permit, service.id, wait)
        .await
        .expect_err("not yet");
    assert_eq!(fault.kind(), ErrorKind::Deadline);
    let sick = web("web").replace("health_path: /", "health_path: /nothing-here");
    let service = zone.deploy(&zone.ada, &sick).await.expect("deployed");
    zone.until(&service, |service| {
        service.reason == "it answers 404 at /nothing-here"
    })
    .await;
}

#[tokio::test]
async fn a_service_that_falls_silent_is_unready_until_it_answers_again() {
    let zone = zone().await;
    let text = "kind: Process\nname: web\ncommand: |\n  \
        python3 -m http.server --bind 127.0.0.1 $PORT & echo $! > inner; sleep 600\n";
    let service = zone.ready(text).await;
    let port = service.port.expect("a port");
    // Nothing listens for a moment, and the first process goes on.
    let inner = std::fs::read_dir("/proc")
        .expect("processes")
        .flatten()
        .find_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).into_owned();
            (line.starts_with("python3") && line.contains(&port.to_string())).then_some(pid)
        });
    let inner = Pid::from_raw(i32::try_from(inner.expect("the inner process")).expect("a pid"));
    kill(inner, Signal::SIGKILL).expect("it is killed");
    let silent = zone
        .until(&service, |service| service.state == State::Unready)
        .await;
    assert!(silent.reason.contains("nobody listens"), "{}", silent.reason);
    assert_eq!(silent.starts, 1);
}

#[tokio::test]
async fn services_go_on_over_the_end_of_server_and_agent_and_are_adopted() {
    let zone = zone().await;
    let before = zone.ready(&web("web")).await;
    let pids = web_processes(&zone);
    let zone = zone.again(true).await;
    let after = zone.until(&before, |service| service.state == State::Ready).await;
    assert_eq!((after.port, after.starts), (before.port, 1));
    assert_eq!(web_processes(&zone), pids);
    assert!(
        ask(after.port.expect("a port"), "/")
            .expect("an answer")
            .contains("200 OK")
    );
    zone.stopped("web").await;
}

#[tokio::test]
async fn an_end_while_nobody_looked_is_found_and_the_process_is_started_again() {
    let zone = zone().await;
    let before = zone.ready(&web("web")).await;
    let pids = web_processes(&zone);
    zone.machines[0].tasks.stop(SOON).await;
    for pid in pids {
        kill(Pid::from_raw(i32::try_from(pid).expect("a pid")), Signal::SIGKILL).expect("it is killed");
    }
    let zone = zone.again(true).await;
    zone.until(&before, |service| {
        service.starts == 2 && service.state == State::Ready
    })
    .await;
}

#[tokio::test]
async fn w08_another_users_service_is_not_there() {
    let zone = zone().await;
    let service = zone.ready(&web("web")).await;
    let by_id = Which::Id(service.id);
    let bob: &Actor = &zone.bob;
    for which in [by_id.clone(), named("web"), Which::Latest] {
        let faults = [
            zone.get(bob, which.clone()).await.expect_err("hidden").kind(),
            zone.stop(bob, which.clone()).await.expect_err("hidden").kind(),
            zone.endpoint(bob, which.clone())
                .await
                .expect_err("hidden")
                .kind(),
        ];
        assert_eq!(faults, [ErrorKind::NotFound; 3], "{which}");
    }
    let permit = zone.permit::<List>(bob).await;
    let page = zone
        .services
        .list(&permit, Filter::default())
        .await
        .expect("a list");
    assert!(page.services.is_empty());
    // Bob's own of the same name is another one, and the owner of the zone sees it and cannot use it.
    let own = zone.deploy(bob, &web("web")).await.expect("deployed");
    assert_ne!(own.id, service.id);
    let seen = zone
        .get(&zone.ada, Which::Id(own.id))
        .await
        .expect("the owner sees it");
    assert_eq!(seen.user_name.as_str(), "bob");
    let used = zone
        .endpoint(&zone.ada, Which::Id(own.id))
        .await
        .expect_err("not hers");
    assert_eq!(used.kind(), ErrorKind::NotFound);
    zone.stop(&zone.ada, Which::Id(own.id))
        .await
        .expect("the owner may stop it");
}

#[tokio::test]
async fn the_latest_is_what_was_deployed_last() {
    let zone = zone().await;
    let fault = zone
        .endpoint(&zone.ada, Which::Latest)
        .await
        .expect_err("nothing yet");
    assert_eq!(fault.kind(), ErrorKind::NotFound);
    let first = zone.ready(&web("one")).await;
    let second = zone.ready(&web("two")).await;
    let latest = zone
        .endpoint(&zone.ada, Which::Latest)
        .await
        .expect("an endpoint");
    assert_eq!(latest.service, second.id);
    zone.ready(&web("one")).await;
    let latest = zone
        .endpoint(&zone.ada, Which::Latest)
        .await
        .expect("an endpoint");
    assert_eq!(latest.service, first.id);
}

#[tokio::test]
async fn bounds_hold_and_a_port_has_one_service() {
    let zone = zone_with(&["here"], |config| config.most_unfinished = 2).await;
    let port = testbed::free_port();
    let fixed =
        |name: &str| format!("kind: Process\nname: {name}\ncommand: [sleep, \"600\"]\nport: {port}\n");
    zone.deploy(&zone.ada, &fixed("one")).await.expect("deployed");
    let taken = zone.deploy(&zone.bob, &fixed("two")).await.expect_err("taken");
    assert_eq!(taken.kind(), ErrorKind::Exists);
    zone.deploy(&zone.ada, &fixed("one")).await.expect("its own port");
    zone.deploy(&zone.ada, &web("two")).await.expect("deployed");
    let many = zone.deploy(&zone.ada, &web("three")).await.expect_err("too many");
    assert_eq!(many.kind(), ErrorKind::Exhausted);
    let bad = zone
        .deploy(&zone.ada, "kind: Deployment\n")
        .await
        .expect_err("refused");
    assert!(
        matches!(&bad, Error::Manifest(faults) if faults.len() == 3),
        "{bad}"
    );
}

#[tokio::test]
async fn a_port_of_somebody_elses_process_does_not_make_a_service_ready() {
    // Without root all work has the agent's uid, and the kernel's list cannot tell.
    if !crate::machine::abilities().root {
        return;
    }
    let zone = zone().await;
    let stranger = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = stranger.local_addr().expect("bound").port();
    let text = format!("kind: Process\nname: web\ncommand: [sleep, \"600\"]\nport: {port}\n");
    let service = zone.deploy(&zone.ada, &text).await.expect("deployed");
    let why = format!("port {port} belongs to somebody else's process");
    zone.until(&service, |service| service.reason == why).await;
    assert!(!zone.machines[0].node.serves(service.id, port));
}
