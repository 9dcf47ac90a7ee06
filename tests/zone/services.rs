//! Services from the command line to the process: deployed, reached, over the death of their server, and stopped.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Far, LONG, Zone};

const WEB: &str = "kind: Process\nname: web\nworking_directory: site\nhealth_path: /hello.txt\n\
    command: |\n  echo \"hello $GREETED\" > hello.txt\n  exec python3 -m http.server --bind 127.0.0.1 $PORT\n\
    environment:\n  GREETED: zone\n";

fn write(zone: &Zone, name: &str, text: &str) -> String {
    let path = zone.around().join(name);
    fs::write(&path, text).expect("the manifest is written");
    path.to_str().expect("a plain path").to_owned()
}

fn deploy(zone: &Zone, text: &str) -> Value {
    let file = write(zone, "web.yaml", text);
    serde_json::from_str(&zone.good(&["deploy", &file, "--json"])).expect("JSON")
}

/// The only service in the list, once it is as it shall be.
#[track_caller]
fn until(zone: &Zone, fits: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let found = testbed::eventually_blocking(LONG, || {
        last = serde_json::from_str(&zone.good(&["services", "--json"])).unwrap_or(Value::Null);
        fits(&last)
    });
    assert!(found, "{last}\n{}", zone.log());
    last
}

fn port(service: &Value) -> u16 {
    let port = service["port"].as_u64().expect("a port");
    u16::try_from(port).expect("a small number")
}

fn ask(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET /hello.txt HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The processes of a service, by what stands in their environment.
fn processes_of(id: &str) -> Vec<i32> {
    let mark = format!("SOKE_SERVICE_ID={id}");
    let all = fs::read_dir("/proc").expect("processes").flatten();
    let pids = all.filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let environment = fs::read(entry.path().join("environ")).ok()?;
        let environment = String::from_utf8_lossy(&environment).into_owned();
        environment.split('\0').any(|one| one == mark).then_some(pid)
    });
    pids.collect()
}

/// Folders that runs of services have left.
fn runs(zone: &Zone) -> usize {
    let folders = ["services", "node/services"].map(|name| zone.data().join(name));
    folders.iter().flat_map(fs::read_dir).flatten().count()
}

fn whole_story(mut zone: Zone) {
    zone.sign_in_owner();
    let service = deploy(&zone, WEB);
    assert_eq!(
        (&service["state"], &service["starts"]),
        (&"ready".into(), &1.into())
    );
    let (id, place) = (service["service_id"].as_str().expect("an id"), port(&service));
    assert!(ask(place).expect("an answer").ends_with("hello zone\n"));
    let before = processes_of(id);
    assert_eq!(before.len(), 1, "{before:?}");

    // The death of its server is nothing to it, and the next server takes it up again.
    zone.kill();
    assert!(
        ask(place)
            .expect("an answer without a server")
            .ends_with("hello zone\n")
    );
    zone.start();
    let adopted = until(&zone, |service| service["state"] == "ready");
    assert_eq!((adopted["starts"].as_u64(), port(&adopted)), (Some(1), place));
    assert_eq!(processes_of(id), before);

    // An end while no server looks is found by the next one.
    zone.kill();
    let pid = Pid::from_raw(before[0]).expect("not zero");
    kill_process(pid, Signal::KILL).expect("the tests may");
    zone.start();
    let back = until(&zone, |service| {
        service["starts"] == 2 && service["state"] == "ready"
    });
    assert!(ask(port(&back)).expect("an answer").ends_with("hello zone\n"));

    assert_eq!(
        zone.good(&["services", "stop", "web"]),
        "service web is stopped\n"
    );
    assert!(ask(port(&back)).is_err());
    let clean = testbed::eventually_blocking(LONG, || processes_of(id).is_empty() && runs(&zone) == 0);
    assert!(clean, "{:?}, {} runs", processes_of(id), runs(&zone));
    assert_eq!(
        zone.good(&["services"]).lines().count(),
        1,
        "only the head of the table"
    );
    let all: Value = serde_json::from_str(&zone.good(&["services", "--all", "--json"])).expect("JSON");
    assert_eq!((&all["state"], &all["port"]), (&"stopped".into(), &Value::Null));
    let log = zone.good(&["get", "services/web.log"]);
    assert!(log.contains("GET /hello.txt"), "{log}");
}

#[test]
fn a_service_answers_outlives_killed_servers_and_leaves_nothing_when_it_is_stopped() {
    whole_story(Zone::builder().start());
}

#[test]
fn a_service_does_so_without_rights_too() {
    whole_story(Zone::builder().unprivileged().start());
}

#[test]
fn what_is_wrong_is_said_in_words_and_by_the_exit_code() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let bad = write(
        &zone,
        "bad.yaml",
        "kind: Deployment\nname: Web\nreplicas: 3\ncommand: []\n",
    );
    let said = zone.soke(&["deploy", &bad]);
    assert_eq!(said.code, Some(64), "{said:?}");
    for field in [
        "manifest.kind",
        "manifest.name",
        "manifest.replicas",
        "manifest.command",
    ] {
        assert!(said.errors.contains(field), "{field}: {said:?}");
    }
    assert_eq!(zone.soke(&["deploy", "nowhere.yaml"]).code, Some(64));
    let elsewhere = write(&zone, "web.yaml", WEB);
    assert_eq!(
        zone.soke(&["deploy", "--node", "nowhere", &elsewhere]).code,
        Some(64)
    );
    assert_eq!(zone.soke(&["services", "stop", "web"]).code, Some(66));
    let lost = "kind: Process\nname: lost\ncommand: [/no/such/program]\n";
    let said = zone.soke_with_input(&["deploy", "-"], lost);
    assert_eq!(said.code, Some(73), "{said:?}");
    assert!(
        said.out.starts_with("service lost is failed") && said.out.contains("/no/such/program"),
        "{said:?}"
    );
    assert_eq!(
        zone.good(&["services", "stop", "lost"]),
        "service lost is stopped\n"
    );
}

/// A service on the second machine of a zone, seen through the first one alone; holds on every sort of machine.
pub(crate) fn on_another_machine(zone: &Zone, far: &Far) {
    let file = write(zone, "far.yaml", &WEB.replace("name: web", "name: there"));
    let deployed = zone.good(&["deploy", "--node", "far", "--json", &file]);
    let service: Value = serde_json::from_str(&deployed).expect("JSON");
    assert_eq!(
        (&service["state"], &service["node_name"]),
        (&"ready".into(), &"far".into()),
        "{}\n{}",
        zone.log(),
        far.log()
    );
    let home = far.folder().join("homes/keeper");
    let page = fs::read_to_string(home.join("site/hello.txt"));
    assert_eq!(page.expect("it was written there"), "hello zone\n");
    assert!(!zone.data().join("homes/keeper/site").exists(), "and only there");
    let left = || {
        fs::read_dir(far.folder().join("node/services"))
            .expect("a folder")
            .count()
    };
    assert_eq!((left(), runs(zone)), (1, 0));
    assert_eq!(
        zone.good(&["services", "stop", "there"]),
        "service there is stopped\n"
    );
    let id = service["service_id"].as_str().expect("an id");
    let clean = testbed::eventually_blocking(LONG, || left() == 0 && processes_of(id).is_empty());
    assert!(clean, "{} runs, {:?}", left(), processes_of(id));
}

#[test]
fn a_service_goes_on_while_its_machine_is_away_and_says_so() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let mut far = zone.joined("far");
    let file = write(&zone, "far.yaml", WEB);
    let deployed = zone.good(&["deploy", "--node", "far", "--json", &file]);
    let service: Value = serde_json::from_str(&deployed).expect("JSON");
    far.kill();
    let away = until(&zone, |service| service["state"] == "unready");
    assert_eq!(away["reason"], "its node is away");
    assert!(ask(port(&service)).expect("an answer").ends_with("hello zone\n"));
    // What is asked for meanwhile is done when the machine is back.
    let said = zone.soke(&["services", "stop", "web", "--wait", "0"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.starts_with("service web is stopping"), "{said:?}");
    far.start();
    let stopped = || zone.good(&["services", "--json"]).is_empty();
    assert!(testbed::eventually_blocking(LONG, stopped), "{}", far.log());
    assert!(ask(port(&service)).is_err());
    far.stop();
}
