//! Faults at chosen steps: `strace` kills the process at its nth write or sync, or lets one fail.
//!
//! D01 and D05: from the first write of an empty folder on, nothing answered is lost and nothing is there by halves;
//! a sync or write that fails is told to those who wait for it and to nobody else.

use crate::{
    bed::{Bed, rounds},
    workload::{History, Worker},
};

/// Calls that change the files of a database.
const STEPS: &str = "pwrite64,fdatasync,fsync,ftruncate,unlink";

fn start(bed: &Bed, inject: &str) -> Worker {
    let inject = format!("--inject={inject}");
    let trace = format!("--trace={STEPS}");
    let strace = ["strace", "--follow-forks", "--output=/dev/null", &trace, &inject];
    Worker::start(bed, &strace)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_step_loses_nothing() {
    let runs = rounds(16, 150);
    for run in 0..runs {
        // Everyday runs take wider strides over the same way; the first steps make the database.
        let step = 1 + run * 150 / runs;
        let bed = Bed::sqlite();
        let mut history = History::default();
        start(&bed, &format!("{STEPS}:signal=KILL:when={step}")).wait(&mut history);
        history.judge(&bed).await;
        // What was recovered goes on.
        let worker = Worker::start(&bed, &[]);
        let before = history.len();
        worker.hear(&mut history, |history| history.len() > before + 5);
        worker.kill(&mut history);
        history.judge(&bed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_or_write_that_fails_is_told_and_the_store_goes_on() {
    for inject in [
        "fsync,fdatasync:error=EIO:when=20+5",
        "pwrite64:error=ENOSPC:when=100+401",
        "pwrite64:error=EIO:when=100+401",
    ] {
        let bed = Bed::sqlite();
        let mut history = History::default();
        let worker = start(&bed, inject);
        worker.hear(&mut history, |history| {
            history.len() > 100 && history.faults.len() > 20
        });
        worker.kill(&mut history);
        assert!(
            history.faults.iter().all(|fault| fault == "unavailable"),
            "{inject}: {:?}",
            history.faults
        );
        history.judge(&bed).await;
    }
}
