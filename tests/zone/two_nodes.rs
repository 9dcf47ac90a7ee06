//! A zone of two machines: work on the second one, seen through the first one alone.
//!
//! Once as two processes under one uid without rights, once as two processes of root, and once with a network for each
//! of them.

use std::{
    fs::{self, File},
    process::Command,
    time::Duration,
};

use crate::{
    harness::{Far, LONG, Said, Zone, eventually, finished, run},
    services,
};

/// Prints where it runs, says something on the other output, and ends with a code of its own.
const TELLING: [&str; 6] = [
    "--",
    "sh",
    "-c",
    "echo on $SOKE_JOB_NODE; echo so >&2; exit 5",
    "sh",
    "x",
];

fn run_on(zone: &Zone, node: &[&str], rest: &[&str]) -> Said {
    zone.soke(&[&["run"], node, rest].concat())
}

/// Submits without waiting, and gives the job's number.
fn detached(zone: &Zone, node: &str, script: &str) -> String {
    let said = zone.good(&["run", "--node", node, "--detach", "--", "sh", "-c", script]);
    said.trim().to_owned()
}

/// The job with this number, as JSON.
fn job(zone: &Zone, number: &str) -> serde_json::Value {
    let listed = zone.good(&["jobs", "--json"]);
    let mut rows = listed
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    rows.find(|row| row["number"].as_u64() == number.parse().ok())
        .unwrap_or_else(|| panic!("no job {number}: {listed}"))
}

fn until_job(zone: &Zone, number: &str, field: &str, value: &str) {
    let so = || (job(zone, number)[field] == value).then_some(());
    eventually(LONG, &format!("{field} of job {number} is {value}"), so);
}

/// The story that holds on every sort of machine.
fn a_job_runs_where_it_is_asked_for(zone: &Zone, far: &Far) {
    let said = run_on(zone, &["--node", "far"], &TELLING);
    assert_eq!(
        (said.code, said.out.as_str(), said.errors.as_str()),
        (Some(5), "on far\n", "so\n"),
        "{}\n{}",
        zone.log(),
        far.log()
    );
    assert_eq!(job(zone, "1")["node_name"], "far");
    let there = far.folder().join("homes/keeper/job-1.out");
    assert_eq!(
        fs::read_to_string(there).expect("it was written there"),
        "on far\n"
    );
    assert!(
        !zone.data().join("homes/keeper/job-1.out").exists(),
        "and only there"
    );
    let own = zone.good(&["nodes"]);
    let own = own.lines().filter_map(|line| line.split_whitespace().next());
    let own: Vec<&str> = own.filter(|name| !["NODE", "far"].contains(name)).collect();
    let [own] = own.as_slice() else {
        panic!("one node beside it: {own:?}");
    };
    for asked in [&[][..], &["--node", own]] {
        let said = run_on(zone, asked, &TELLING);
        assert_eq!(
            (said.code, said.out),
            (Some(5), format!("on {own}\n")),
            "{asked:?}"
        );
    }
    let anywhere = run_on(zone, &["--node", "any"], &TELLING);
    let places = [format!("on {own}\n"), "on far\n".to_owned()];
    assert!(places.contains(&anywhere.out), "{anywhere:?}");
    let said = run_on(zone, &["--node", "nowhere"], &TELLING);
    assert_eq!(said.code, Some(64), "{said:?}");
    assert!(
        said.errors.contains("node") && said.errors.contains("nowhere"),
        "{said:?}"
    );
    // Output that comes while the job runs, and its end, through the server.
    let script = "echo first; until [ -e go ]; do sleep 0.05; done; echo last; exit 6";
    let number = detached(zone, "far", script);
    let shown = zone.around().join("shown");
    let mut follow = zone.command();
    follow
        .args(["logs", &number])
        .stdout(File::create(&shown).expect("a file"));
    let mut follow = follow.spawn().expect("it starts");
    let so_far = |text: &str| (fs::read_to_string(&shown).expect("a file") == text).then_some(());
    eventually(LONG, "the first line is shown", || so_far("first\n"));
    fs::write(far.folder().join("homes/keeper/go"), "").expect("root may write there");
    let ended = finished(&mut follow, LONG).expect("it ends with the job");
    assert_eq!(ended.code(), Some(0));
    so_far("first\nlast\n").expect("all of it");
    until_job(zone, &number, "state", "failed");
    let number = detached(zone, "far", "sleep 300");
    until_job(zone, &number, "state", "running");
    zone.good(&["cancel", &number]);
    until_job(zone, &number, "state", "cancelled");
}

#[test]
fn two_machines_of_root_work_as_one_zone() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let far = zone.joined("far");
    a_job_runs_where_it_is_asked_for(&zone, &far);
    services::on_another_machine(&zone, &far);
}

#[test]
fn two_machines_without_rights_work_as_one_zone() {
    let zone = Zone::builder().unprivileged().start();
    zone.sign_in_owner();
    let far = zone.joined("far");
    a_job_runs_where_it_is_asked_for(&zone, &far);
    services::on_another_machine(&zone, &far);
}

/// Two networks with a cable between them; gone when dropped.
pub(crate) struct Networks {
    pub(crate) near: String,
    pub(crate) far: String,
}

/// Where the server stands in its network.
pub(crate) const SERVER: &[&str] = &["--listen", "10.213.77.1:0"];

impl Networks {
    /// For the test of this letter, which no other test of the process has. None where the machine makes no networks for
    /// us.
    pub(crate) fn make(test: char) -> Option<Self> {
        let own = std::process::id();
        let networks = Self {
            near: format!("soke-near-{own}{test}"),
            far: format!("soke-far-{own}{test}"),
        };
        let Self { near, far } = &networks;
        let (one, two) = (format!("sk{own}{test}a"), format!("sk{own}{test}b"));
        let steps = [
            format!("netns add {near}"),
            format!("netns add {far}"),
            format!("link add {one} netns {near} type veth peer name {two} netns {far}"),
            format!("-n {near} addr add 10.213.77.1/24 dev {one}"),
            format!("-n {far} addr add 10.213.77.2/24 dev {two}"),
            format!("-n {near} link set lo up"),
            format!("-n {far} link set lo up"),
            format!("-n {near} link set {one} up"),
            format!("-n {far} link set {two} up"),
        ];
        let made = steps.iter().all(|step| ip(step));
        made.then_some(networks)
    }
}

fn ip(words: &str) -> bool {
    let mut command = Command::new("ip");
    command.args(words.split(' '));
    run(command, "", Duration::from_secs(10)).code == Some(0)
}

impl Drop for Networks {
    fn drop(&mut self) {
        for name in [&self.near, &self.far] {
            ip(&format!("netns del {name}"));
        }
    }
}

#[test]
fn two_machines_in_two_networks_work_as_one_zone() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Some(networks) = Networks::make('t') else {
        return;
    };
    let zone = Zone::builder().in_network(&networks.near, SERVER).start();
    zone.sign_in_owner();
    let mut far = zone.far("far").in_network(&networks.far);
    far.join(&zone.invite());
    zone.until_node("far", "live");
    a_job_runs_where_it_is_asked_for(&zone, &far);
    services::on_another_machine(&zone, &far);
    drop((far, zone));
}

#[test]
fn a_machine_that_is_away_keeps_its_jobs_and_gets_those_that_wait_for_it() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let mut far = zone.joined("far");
    let running = detached(&zone, "far", "until [ -e go ]; do sleep 0.05; done; exit 3");
    until_job(&zone, &running, "state", "running");
    far.kill();
    let waits = detached(&zone, "far", "exit 4");
    until_job(&zone, &waits, "reason", "waits for node far, which is away");
    assert_eq!(
        job(&zone, &running)["state"],
        "running",
        "nobody has said anything else"
    );
    // Work elsewhere goes on meanwhile.
    assert_eq!(run_on(&zone, &[], &TELLING).code, Some(5));
    fs::write(far.folder().join("homes/keeper/go"), "").expect("root may write there");
    far.start();
    for (number, code) in [(&running, 3), (&waits, 4)] {
        until_job(&zone, number, "state", "failed");
        assert_eq!(job(&zone, number)["exit_code"], code, "job {number}");
    }
    far.stop();
}

#[test]
fn jobs_on_all_machines_outlive_a_killed_server() {
    let mut zone = Zone::builder().at_a_lasting_address().start();
    zone.sign_in_owner();
    let mut far = zone.far("far");
    far.join(&zone.invite());
    zone.until_node("far", "live");
    let script = "until [ -e go ]; do sleep 0.05; done; exit 7";
    let there = detached(&zone, "far", script);
    let here = zone.good(&["run", "--detach", "--", "sh", "-c", script]);
    let here = here.trim();
    for number in [&there, here] {
        until_job(&zone, number, "state", "running");
    }
    zone.kill();
    for folder in [zone.data(), far.folder().to_owned()] {
        fs::write(folder.join("homes/keeper/go"), "").expect("root may write there");
    }
    zone.start();
    for number in [&there, here] {
        until_job(&zone, number, "state", "failed");
        assert_eq!(
            job(&zone, number)["exit_code"],
            7,
            "job {number}\n{}\n{}",
            zone.log(),
            far.log()
        );
    }
}

#[test]
fn jobs_of_a_machine_that_is_put_out_are_lost_and_say_so() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let far = zone.joined("far");
    let running = detached(&zone, "far", "until [ -e go ]; do sleep 0.05; done");
    until_job(&zone, &running, "state", "running");
    // As many as there are, so that it waits for the other.
    let cores = std::thread::available_parallelism()
        .expect("a number")
        .to_string();
    let waits = zone.good(&[
        "run", "--node", "far", "--cores", &cores, "--detach", "--", "true",
    ]);
    let waits = waits.trim();
    zone.good(&["nodes", "remove", "far"]);
    for number in [running.as_str(), waits] {
        until_job(&zone, number, "state", "lost");
        assert_eq!(job(&zone, number)["reason"], "its node was removed from the zone");
    }
    let said = run_on(&zone, &["--node", "far"], &["--", "true"]);
    assert_eq!(said.code, Some(64), "{said:?}");
    fs::write(far.folder().join("homes/keeper/go"), "").expect("root may write there");
    drop(far);
}

#[test]
fn the_servers_own_machine_is_a_node_that_cannot_be_put_out() {
    let zone = Zone::builder().config("[jobs]\nnode_name = \"anchor\"\n").start();
    zone.sign_in_owner();
    assert!(zone.has_node("anchor", "live"));
    let said = zone.soke(&["nodes", "remove", "anchor"]);
    assert!(
        said.code != Some(0) && said.errors.contains("the zone's server runs on it"),
        "{said:?}"
    );
    assert!(
        zone.good(&["token", "list"]).is_empty(),
        "nobody sees the token of its join"
    );
}
