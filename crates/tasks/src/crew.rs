//! Many short tasks of one kind, such as the calls of a connection.
//!
//! What it leaves to others: tasks with names of their own ([`Tasks::spawn`]). Those are entered in a list one by one;
//! here each costs a count and nothing that others wait for.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::FutureExt as _;

use crate::Tasks;

/// Starts tasks of one kind, under one name, in the group of [`Tasks`] that it comes from. Clones share the count. Each
/// may end whenever its work is done; a panic is logged.
#[derive(Debug, Clone)]
pub struct Crew {
    tasks: Tasks,
    counted: Counted,
}

/// How many tasks of a kind run.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    pub(crate) name: &'static str,
    running: Arc<AtomicUsize>,
}

/// One task that is counted until this is dropped.
struct One(Counted);

impl Counted {
    pub(crate) fn new(name: &'static str) -> Self {
        let running = Arc::default();
        Self { name, running }
    }

    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// Tells whether nobody can start one any more and none runs.
    pub(crate) fn is_gone(&self) -> bool {
        Arc::strong_count(&self.running) == 1
    }
}

impl Crew {
    pub(crate) const fn new(tasks: Tasks, counted: Counted) -> Self {
        Self { tasks, counted }
    }

    /// Starts one. The future should end soon after [`Tasks::token`] is cancelled.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.counted.running.fetch_add(1, Ordering::Relaxed);
        let one = One(self.counted.clone());
        let ended = AssertUnwindSafe(task).catch_unwind().map(move |ended| {
            if ended.is_err() {
                tracing::error!(task = one.0.name, "task ended in a panic");
            }
            drop(one);
        });
        self.tasks.track(ended);
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::Tasks;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_stop_waits_for_a_crew_and_counts_those_that_do_not_end() {
        let tasks = Tasks::new();
        let crew = tasks.crew("call");
        crew.spawn(async { panic!("as planned by this test") });
        for _ in 0..2 {
            crew.spawn(std::future::pending());
        }
        let token = tasks.token();
        crew.spawn(async move { token.cancelled().await });
        let stopped = tasks.stop(Duration::from_millis(50)).await;
        assert_eq!(stopped.late, ["call", "call"]);
    }

    #[tokio::test]
    async fn a_crew_that_is_gone_leaves_nothing_behind() {
        let tasks = Tasks::new();
        for _ in 0..100 {
            tasks.crew("call").spawn(async {});
        }
        assert!(tasks.stop(SOON).await.late.is_empty());
        drop(tasks.crew("call"));
        assert_eq!(tasks.crews(), 1);
    }
}
