//! A02: the process is killed at any step of a submit or a settlement; afterwards the books are whole, what was
//! answered is there, and each hold is released once.
//!
//! `strace` kills a process of its own at its nth write or sync to the database's files, or at its nth word to the
//! database server; so over the runs each step between two statements is met.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use accounts::Config;
use model::{Money, UserId};
use store::Engine;
use tasks::{Clock, Tasks};

use crate::bed::{Bed, NOW, job, job_of, money, never_ran, open, ran, rounds, settle, submit};

/// Tells the process what to work on.
const PLACE: &str = "SOKE_ACCOUNTS_WORK";
/// Jobs that a process settles, and as many that it submits.
const JOBS: u32 = 6;
/// What a submitted job holds, and what one costs that ran.
const HOLD: i64 = 10_000;
const COST: i64 = 1_000;

/// Not a test of its own: the process that the tests start and kill. Without their word it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settles_until_it_is_killed() {
    let Ok(place) = std::env::var(PLACE) else {
        return;
    };
    let words: Vec<&str> = place.split('|').collect();
    let [engine, folder, user, first] = words.as_slice() else {
        panic!("{place}");
    };
    let engine = if engine.starts_with("postgresql:") {
        Engine::Postgres {
            url: (*engine).to_owned(),
            connections: 2,
        }
    } else {
        Engine::Sqlite { path: engine.into() }
    };
    let (user, first): (UserId, u32) = (user.parse().expect("an id"), first.parse().expect("a number"));
    let (clock, tasks) = (Clock::manual(NOW), Tasks::new());
    let opened = open(&engine, folder.as_ref(), &clock, Config::default(), &tasks).await;
    let (store, _access, accounts) = opened;
    for number in first..first + JOBS {
        submit(&store, &accounts, job_of(number + JOBS, user, "bob"))
            .await
            .expect("admitted");
        say(&format!("held {}", number + JOBS));
        settle(&store, &accounts, end(number)).await;
        say(&format!("settled {number}"));
    }
    say("done");
}

#[expect(clippy::print_stdout, reason = "the process that started this one reads it")]
fn say(line: &str) {
    println!("{line}");
}

/// Every fifth job never started.
fn end(number: u32) -> accounts::Ended {
    if number.is_multiple_of(5) {
        never_ran(number)
    } else {
        ran(number, 360)
    }
}

/// Starts the process, waits until it is killed or done, and gives what it said.
fn work(engine: &Engine, folder: &Path, user: UserId, first: u32, step: u32) -> Vec<String> {
    let (place, steps) = match engine {
        Engine::Sqlite { path } => (
            path.display().to_string(),
            "pwrite64,fdatasync,fsync,ftruncate,unlink",
        ),
        Engine::Postgres { url, .. } => (url.clone(), "sendto"),
    };
    let folder = folder.display();
    let own = std::env::current_exe().expect("a program");
    let ran = Command::new("strace")
        .args(["--follow-forks", "--output=/dev/null"])
        .arg(format!("--trace={steps}"))
        .arg(format!("--inject={steps}:signal=KILL:when={step}"))
        .arg(own)
        .args(["--exact", "kills::settles_until_it_is_killed", "--nocapture"])
        .env(PLACE, format!("{place}|{folder}|{user}|{first}"))
        .stderr(Stdio::null())
        .output()
        .expect("strace runs");
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    told.lines().map(str::to_owned).collect()
}

/// Compares the account with its bills.
async fn judge(bed: &Bed, paid: i64) {
    let open = bed
        .number("SELECT COUNT(*) FROM job_bills WHERE state = 'open'")
        .await;
    let charged = bed
        .number("SELECT COUNT(*) FROM job_bills WHERE state = 'charged'")
        .await;
    let ended = bed
        .number("SELECT COUNT(*) FROM job_bills WHERE state = 'ended'")
        .await;
    let lab = bed.shown("lab").await;
    assert_eq!((lab.held.ten_thousandths(), ended), (open * HOLD, 0));
    assert_eq!(lab.balance.ten_thousandths(), paid - charged * COST);
    assert_eq!(bed.number("SELECT COUNT(*) FROM charges").await, 2 * charged);
    bed.ledger().await;
}

async fn kill_at_every_step(mut bed: Bed, runs: u32, most: u32) {
    let bob = bed.user("bob").await;
    bed.account("lab", &bob).await;
    bed.pay("lab", "100000").await;
    let paid = money("100000").ten_thousandths();
    bed.price("local.main", "1").await;
    let mut was_done = false;
    for run in 0..=runs {
        let first = 1 + run * 2 * JOBS;
        for number in first..first + JOBS {
            bed.submit(job(number, &bob)).await.expect("admitted");
        }
        // The last run is not killed at all.
        let step = if run == runs {
            65_000
        } else {
            1 + run * most / runs
        };
        let mut said = Vec::new();
        let killed = |engine: &Engine, folder: &Path| said = work(engine, folder, bob.id, first, step);
        bed = bed.restarted_after(killed).await;
        judge(&bed, paid).await;
        for line in &said {
            if let Some((word, number)) = line.split_once(' ')
                && let Ok(number) = number.parse::<u32>()
            {
                let state = bed.state(number).await.unwrap_or_default();
                let is_there = match word {
                    "held" => state == "open",
                    "settled" => state == "charged" || state == "void",
                    _ => true,
                };
                assert!(is_there, "step {step}: {line}, and it is `{state}`");
            }
        }
        was_done = said.iter().any(|line| line == "done");
        // What the process had before it is told again, twice, by the one that follows it.
        for _ in 0..2 {
            for number in first..first + 2 * JOBS {
                bed.end(end(number)).await;
            }
        }
        judge(&bed, paid).await;
        assert_eq!(bed.shown("lab").await.held, Money::ZERO);
    }
    assert!(was_done, "without a kill the process comes to its end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a02_a_kill_at_any_step_leaves_whole_books_on_sqlite() {
    kill_at_every_step(Bed::sqlite().await, rounds(12, 200), 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a02_a_kill_at_any_step_leaves_whole_books_on_postgresql() {
    kill_at_every_step(Bed::postgres().await, rounds(8, 100), 200).await;
}
