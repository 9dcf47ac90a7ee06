//! Kills at any moment: nothing answered is lost, nothing is there by halves, no revision comes twice.

use std::time::Duration;

use store::Error;
use testbed::Postgres;

use crate::{
    bed::{Bed, rounds},
    workload::{History, TABLES, Worker},
};

/// Hears some answers, then lets a random moment pass.
fn some_work(worker: &Worker, history: &mut History) {
    let before = history.len();
    worker.hear(history, |history| history.len() > before);
    // may sleep: the kill is to fall at a random moment, not after an answer
    std::thread::sleep(Duration::from_micros(rand::random_range(0..40_000)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_loses_nothing_when_its_process_is_killed() {
    let (mut bed, mut history) = (Bed::sqlite(), History::default());
    for round in 1..=rounds(20, 500) {
        // The judge reads everything each time, so a long run begins anew now and then.
        if round % 25 == 0 {
            (bed, history) = (Bed::sqlite(), History::default());
        }
        let worker = Worker::start(&bed, &[]);
        some_work(&worker, &mut history);
        let second = bed.try_open(&[TABLES]).await;
        assert!(
            matches!(second, Err(Error::InUse { .. })),
            "two processes on one file: {second:?}"
        );
        worker.kill(&mut history);
        history.judge(&bed).await;
        assert_eq!(history.faults, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_loses_nothing_when_a_process_or_the_server_is_killed() {
    let server = Postgres::start().unwrap();
    let bed = Bed::on_server(&server);
    let mut history = History::default();
    for round in 0..rounds(4, 50) {
        let worker = Worker::start(&bed, &[]);
        some_work(&worker, &mut history);
        if round % 2 == 1 {
            server.crash().unwrap();
            server.resume().unwrap();
            // What was answered before the crash comes first; then the process finds the server again.
            let before = history.len();
            worker.hear(&mut history, |history| history.len() > before + 60);
        }
        worker.kill(&mut history);
        history.judge(&bed).await;
    }
    let unavailable = |fault: &String| fault == "unavailable";
    assert!(history.faults.iter().all(unavailable), "{:?}", history.faults);
}
