//! The processes of a node: started, shared, replaced, bounded and ended, with real processes of this binary.
//!
//! What it leaves to others: what a user may see in such a process (`confine`), and what is spoken with it
//! (the unit tests).

use std::{path::Path, time::Duration};

use confine::{Abilities, Account, Confine};
use files::{Config, Error, FilePath, LocalNode, OnNode as _, Why};
use futures::{StreamExt as _, TryStreamExt as _};
use tasks::{Clock, Tasks};
use testbed::eventually;

/// The user's process: this test binary, asked by name for the one test that becomes it.
const ARGUMENTS: [&str; 3] = ["becomes_the_process_of_a_user", "--exact", "--nocapture"];

#[test]
fn becomes_the_process_of_a_user() {
    // Among the other tests there is no plan among the arguments, and nothing to become.
    if std::env::args()
        .next_back()
        .is_some_and(|last| last.starts_with('{'))
    {
        assert_eq!(
            format!("{:?}", files::agent::main()),
            format!("{:?}", std::process::ExitCode::SUCCESS)
        );
    }
}

fn config(most_processes: usize, idle: Duration, patience: Duration) -> Config {
    let mut config = Config::new(std::env::current_exe().expect("this binary"));
    config.arguments = ARGUMENTS.map(str::to_owned).to_vec();
    config.most_processes = most_processes;
    config.idle = idle;
    config.patience = patience;
    config
}

fn node(data: &Path, config: Config, tasks: &Tasks) -> LocalNode {
    let abilities = Abilities {
        root: false,
        change_user: false,
        mounts: false,
        processes: false,
        landlock: 0,
    };
    let confine = confine::Config {
        data: data.to_owned(),
        first_uid: 200_000,
    };
    LocalNode::new(config, Confine::new(confine, abilities), tasks, Clock::system())
}

fn account(name: &str, number: u32) -> Account {
    Account {
        name: name.to_owned(),
        number,
        unix_name: None,
        owner: true,
    }
}

fn path(text: &str) -> FilePath {
    FilePath::new(text).expect("a good path")
}

async fn read(node: &LocalNode, account: &Account, text: &str) -> Result<Vec<u8>, Error> {
    let chunks: Vec<_> = node.read(account, &path(text), 0).try_collect().await?;
    Ok(chunks.concat())
}

/// The processes of this node, known by its data folder in their plan.
fn pids(data: &Path) -> Vec<i32> {
    let data = data.to_string_lossy().into_owned();
    let all = std::fs::read_dir("/proc").expect("proc is there").flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let ours = numbers.filter(|pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&data)
    });
    ours.collect()
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn each_user_has_one_process_whose_home_is_the_users() {
    let data = tempfile::tempdir().expect("a folder");
    let tasks = Tasks::new();
    let node = node(data.path(), config(8, LONG, LONG), &tasks);
    let (ada, bob) = (account("ada", 1), account("bob", 2));
    for user in [&ada, &bob, &ada] {
        let home = node.home(user).await.expect("a home");
        assert!(home.ends_with(&format!("/homes/{}", user.name)), "{home}");
        std::fs::write(Path::new(&home).join("note"), &user.name).expect("written");
        assert_eq!(
            read(&node, user, "note").await.expect("read"),
            user.name.as_bytes()
        );
    }
    assert_eq!(node.processes(), 2);
    let pages: Vec<_> = node.list(&ada, &path(".")).try_collect().await.expect("listed");
    assert_eq!(pages.concat()[0].shown_name(), "note");
    let missing = read(&node, &ada, "none").await;
    assert!(matches!(missing, Err(Error::Refused { why: Why::NotFound })));
    assert_eq!(tasks.stop(LONG).await.late, Vec::<String>::new());
    assert!(eventually(LONG, async || pids(data.path()).is_empty()).await);
}

#[tokio::test]
async fn a_killed_process_is_replaced_and_its_streams_end_with_an_error() {
    let data = tempfile::tempdir().expect("a folder");
    let tasks = Tasks::new();
    let node = node(data.path(), config(8, LONG, LONG), &tasks);
    let ada = account("ada", 1);
    let home = node.home(&ada).await.expect("a home");
    std::fs::write(Path::new(&home).join("large"), vec![1; 4 << 20]).expect("written");
    let mut stream = node.read(&ada, &path("large"), 0);
    stream.next().await.expect("a chunk").expect("read");
    let before = pids(data.path());
    assert_eq!(before.len(), 1);
    let pid = rustix::process::Pid::from_raw(before[0]).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
    let rest: Result<Vec<_>, _> = stream.try_collect().await;
    assert!(matches!(rest, Err(Error::Lost)));
    assert_eq!(
        read(&node, &ada, "large").await.expect("read again").len(),
        4 << 20
    );
    assert!(eventually(LONG, async || node.processes() == 1).await);
    assert_ne!(pids(data.path()), before);
}

#[tokio::test]
async fn an_idle_process_ends_and_a_busy_one_stays() {
    let data = tempfile::tempdir().expect("a folder");
    let tasks = Tasks::new();
    let node = node(data.path(), config(8, Duration::from_millis(100), LONG), &tasks);
    let ada = account("ada", 1);
    let home = node.home(&ada).await.expect("a home");
    assert!(eventually(LONG, async || node.processes() == 0).await);
    std::fs::write(Path::new(&home).join("large"), vec![1; 4 << 20]).expect("written");
    let mut stream = node.read(&ada, &path("large"), 0);
    let first = stream.next().await.expect("a chunk").expect("read");
    // may sleep: four times the idle time must pass while the process is busy, and nothing must happen
    tokio::time::sleep(Duration::from_millis(400)).await;
    let rest: Vec<_> = stream.try_collect().await.expect("the same process goes on");
    assert_eq!(first.len() + rest.concat().len(), 4 << 20);
}

#[tokio::test]
async fn where_all_processes_are_taken_an_idle_one_makes_room_and_a_busy_one_does_not() {
    let data = tempfile::tempdir().expect("a folder");
    let tasks = Tasks::new();
    let node = node(data.path(), config(1, LONG, Duration::from_secs(2)), &tasks);
    let (ada, bob) = (account("ada", 1), account("bob", 2));
    let home = node.home(&ada).await.expect("a home");
    node.home(&bob).await.expect("ada's process made room");
    std::fs::write(Path::new(&home).join("large"), vec![1; 4 << 20]).expect("written");
    let mut stream = node.read(&ada, &path("large"), 0);
    stream
        .next()
        .await
        .expect("a chunk")
        .expect("bob's process made room");
    assert!(matches!(node.home(&bob).await, Err(Error::Busy)));
    drop(stream);
    node.home(&bob).await.expect("ada's process made room again");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_clear_error() {
    let data = tempfile::tempdir().expect("a folder");
    let tasks = Tasks::new();
    let mut wrong = config(1, LONG, LONG);
    wrong.program = data.path().join("none");
    let node = node(data.path(), wrong, &tasks);
    for _ in 0..3 {
        let error = node.home(&account("ada", 1)).await.expect_err("no program");
        assert_eq!(error.kind(), model::ErrorKind::Internal);
    }
}
