//! Agents and stages that are killed: jobs go on, or are lost, and never run twice.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use confine::process::Identity;
use jobs::node::OnNode as _;
use model::JobId;
use stage::{Cause, Observed};

use crate::machine::{BOTH, Machine, Mode, count, eventually, script, stand_in};

fn jobs_in(data: &Path) -> Vec<JobId> {
    let entries = std::fs::read_dir(data.join("jobs")).expect("jobs");
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn supervisor(machine: &Machine, id: JobId) -> Identity {
    let path = machine
        .folder
        .path()
        .join("jobs")
        .join(id.to_string())
        .join("stage.json");
    let text = std::fs::read(path).expect("a stage has said who it is");
    serde_json::from_slice(&text).expect("it is readable")
}

#[tokio::test]
async fn q01_jobs_outlive_a_killed_agent_and_the_next_one_has_every_exit_code() {
    let many = count(20, 50);
    let machine = Machine::new(Mode::Whole).await;
    let script = "while [ ! -e go ]; do sleep 0.1; done; exit $((SOKE_JOB_NUMBER % 7))";
    let mut agent = Command::new(stand_in())
        .arg("agent")
        .arg(machine.folder.path())
        .args([many.to_string().as_str(), script])
        .stdout(Stdio::piped())
        .spawn()
        .expect("an agent");
    let mut line = String::new();
    let words = agent.stdout.take().expect("its words");
    BufReader::new(words).read_line(&mut line).expect("a word");
    assert_eq!(line, "started\n");
    agent.kill().expect("it is ours");
    agent.wait().expect("it is dead");

    let machine = machine.again(|_config| {}).await;
    let ids = jobs_in(machine.folder.path());
    assert_eq!(ids.len(), usize::try_from(many).expect("small"));
    for &id in &ids {
        machine.running(id).await;
        assert!(
            matches!(machine.standing(id).await, Some(Observed::Running { .. })),
            "{}",
            machine.log(id)
        );
    }
    std::fs::write(machine.home().join("go"), "").expect("the home is open to the agent");
    let mut codes = Vec::new();
    for &id in &ids {
        let exit = machine.ended(id).await;
        assert_eq!(exit.cause, Cause::Itself);
        codes.push(exit.code.expect("a code"));
        machine.node.forget(id).await.expect("it is forgotten");
    }
    let mut wanted: Vec<i32> = (1..=many)
        .map(|number| i32::try_from(number % 7).expect("small"))
        .collect();
    codes.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(codes, wanted);
    assert!(jobs_in(machine.folder.path()).is_empty());
}

#[tokio::test]
async fn an_end_while_no_agent_was_there_is_found_once() {
    let machine = Machine::new(Mode::Whole).await;
    let id = machine.start(script("sleep 0.3; exit 9")).await;
    machine.running(id).await;
    machine.tasks.stop(Duration::from_secs(5)).await;
    let exit_file = machine
        .folder
        .path()
        .join("jobs")
        .join(id.to_string())
        .join("exit.json");
    eventually("the stage writes the end", || exit_file.exists()).await;
    let machine = machine.again(|_config| {}).await;
    assert_eq!(machine.ended(id).await.code, Some(9));
    machine.node.forget(id).await.expect("it is forgotten");
    let machine = machine.again(|_config| {}).await;
    assert_eq!(machine.standing(id).await, None);
}

#[tokio::test]
async fn a_killed_supervisor_takes_its_job_along_and_the_job_is_lost() {
    for mode in BOTH {
        let machine = Machine::new(mode).await;
        let id = machine
            .start(script(
                "trap '' TERM; (setsid sleep 600 &); while :; do sleep 1; done",
            ))
            .await;
        machine.running(id).await;
        let pid = i32::try_from(supervisor(&machine, id).pid).expect("a pid");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
            .expect("it is ours");
        machine.until(id, |observed| *observed == Observed::Lost).await;
        eventually("its processes are dead", || Machine::processes_of(id).is_empty()).await;
    }
}

#[tokio::test]
async fn a_killed_keeper_takes_its_job_along_and_the_end_says_so() {
    for mode in BOTH {
        let machine = Machine::new(mode).await;
        let id = machine
            .start(script(
                "trap '' TERM; (setsid sleep 600 &); while :; do sleep 1; done",
            ))
            .await;
        machine.running(id).await;
        let supervisor = supervisor(&machine, id).pid;
        let keeper = confine::process::all()
            .into_iter()
            .find(|stat| stat.parent == supervisor);
        let pid = i32::try_from(keeper.expect("a keeper").pid).expect("a pid");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
            .expect("it is ours");
        assert_eq!(machine.ended(id).await.cause, Cause::Broken, "{mode:?}");
        assert_eq!(Machine::processes_of(id), Vec::<u32>::new(), "{mode:?}");
    }
}

#[tokio::test]
async fn a_job_that_is_started_again_and_again_runs_once() {
    let machine = Machine::new(Mode::Whole).await;
    let order = script("echo ran >> runs; sleep 0.3");
    for _time in 0..5 {
        machine.start(order.clone()).await;
    }
    // A second agent over the same folder, as after a start in haste.
    let machine = machine.again(|_config| {}).await;
    machine.start(order.clone()).await;
    machine.ended(order.id).await;
    machine.start(order.clone()).await;
    assert_eq!(machine.read("runs"), "ran\n");
}

#[tokio::test]
async fn a_folder_without_an_order_is_as_good_as_none() {
    let machine = Machine::new(Mode::Whole).await;
    let draft = script("exit 5");
    let id = draft.id;
    // The agent is killed after it has made the folder and before the order is in it.
    let folder = machine.folder.path().join("jobs").join(id.to_string());
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("spec.json.tmp"), "{").expect("half an order");
    let machine = machine.again(|_config| {}).await;
    assert_eq!(machine.standing(id).await, None, "nothing is told of it");
    assert!(!folder.exists());
    machine.start(draft).await;
    assert_eq!(machine.ended(id).await.code, Some(5));
}
