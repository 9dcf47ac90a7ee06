//! Many short tasks of one kind, such as the calls of a connection.
//!
//! What it leaves to others: tasks with names of their own ([`Tasks::spawn`]). Those are entered in a list one by one;
//! here each costs a count and nothing that others wait for.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
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

    fn log_panic(&self) {
        tracing::error!(task = self.name, "task ended in a panic");
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

    /// Takes the first step of one at once, where this is called, and starts it where that was not all. A panic in that step
    /// is logged like any other, and goes no further, nor does one in what is left of a task that has ended. Nobody is there to be woken by that step: the task takes it again.
    pub fn begin<F>(&self, mut task: F)
    where
        F: Future<Output = ()> + Send + Unpin + 'static,
    {
        let mut nobody = Context::from_waker(Waker::noop());
        let step = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut task).poll(&mut nobody)));
        match step {
            Ok(Poll::Pending) => return self.spawn(task),
            Ok(Poll::Ready(())) => {}
            Err(_panic) => self.counted.log_panic(),
        }
        // What is left of it may panic as well.
        if catch_unwind(AssertUnwindSafe(|| drop(task))).is_err() {
            self.counted.log_panic();
        }
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
                one.0.log_panic();
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
    use std::{
        pin::Pin,
        task::{Context, Poll},
        time::Duration,
    };

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

    /// Ends with this step, and then panics when it is dropped.
    struct Falls(Poll<()>);

    impl Future for Falls {
        type Output = ();

        fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
            self.0
        }
    }

    impl Drop for Falls {
        fn drop(&mut self) {
            panic!("as planned by this test");
        }
    }

    #[tokio::test]
    async fn a_task_that_panics_where_it_is_dropped_harms_nobody_either() {
        let tasks = Tasks::new();
        let crew = tasks.crew("call");
        crew.begin(Falls(Poll::Ready(())));
        crew.spawn(Falls(Poll::Ready(())));
        assert!(tasks.stop(SOON).await.late.is_empty());
    }
}
