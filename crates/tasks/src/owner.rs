//! The owner of all tasks: it starts them under a name, hears how they end, and stops them.
//!
//! What it leaves to others: the stop order between rooms, which `soke` writes down in one place.

use std::{
    collections::BTreeMap,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::FutureExt as _;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Crew, crew::Counted};

/// Says what the end of a task means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The task may end whenever its work is done. A panic is logged.
    MayEnd,
    /// The task runs as long as the process: its end, other than by cancellation, stops everything.
    StopAll,
}

/// What a stop found: the names of tasks that had not ended within the grace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stopped {
    /// Tasks that were still running when the grace ended, in alphabetical order.
    pub late: Vec<String>,
}

/// Owns tasks. Clones share the same tasks; [`Tasks::child`] makes a group that can be stopped by itself.
#[derive(Debug, Clone)]
pub struct Tasks {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    token: CancellationToken,
    tracker: TaskTracker,
    running: Mutex<BTreeMap<u64, String>>,
    next: AtomicU64,
    crews: Mutex<Vec<Counted>>,
    root: CancellationToken,
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl Tasks {
    /// Makes an owner with no tasks yet.
    #[must_use]
    pub fn new() -> Self {
        let token = CancellationToken::new();
        Self::with(token.clone(), token)
    }

    fn with(token: CancellationToken, root: CancellationToken) -> Self {
        let inner = Inner {
            token,
            tracker: TaskTracker::new(),
            running: Mutex::new(BTreeMap::new()),
            next: AtomicU64::new(0),
            crews: Mutex::default(),
            root,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Makes a group of tasks that ends with this one and can be stopped before it.
    #[must_use]
    pub fn child(&self) -> Self {
        Self::with(self.inner.token.child_token(), self.inner.root.clone())
    }

    /// The token that every long wait of an owned task also waits for.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.inner.token.clone()
    }

    /// Starts a task. The future should end soon after [`Tasks::token`] is cancelled.
    pub fn spawn<F>(&self, name: impl Into<String>, policy: Policy, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let entry = self.enter(name.into());
        let _handle = self.inner.tracker.spawn(async move {
            let ended = AssertUnwindSafe(task).catch_unwind().await;
            entry.ended(policy, ended.is_err());
        });
    }

    /// Starts many short tasks of one kind, at little cost for each.
    #[must_use]
    pub fn crew(&self, name: &'static str) -> Crew {
        let counted = Counted::new(name);
        let mut crews = self.inner.crews.lock().unwrap_or_else(PoisonError::into_inner);
        crews.retain(|crew| !crew.is_gone());
        crews.push(counted.clone());
        drop(crews);
        Crew::new(self.clone(), counted)
    }

    /// Starts a task of a crew.
    pub(crate) fn track(&self, task: impl Future<Output = ()> + Send + 'static) {
        let _handle = self.inner.tracker.spawn(task);
    }

    #[cfg(test)]
    pub(crate) fn crews(&self) -> usize {
        self.inner
            .crews
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Runs a closure that may block, on a thread for blocking work, and waits for its answer.
    ///
    /// # Errors
    /// [`Panicked`] when the closure panicked, so that there is no answer. The panic is logged.
    pub async fn blocking<T, F>(&self, name: impl Into<String>, work: F) -> Result<T, Panicked>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let entry = self.enter(name.into());
        let answer = self.inner.tracker.spawn_blocking(work).await;
        entry.ended(Policy::MayEnd, answer.is_err());
        answer.map_err(|_join_error| Panicked)
    }

    /// Starts a thread of its own for work that blocks as long as it lives.
    ///
    /// The closure must end by itself soon after [`Tasks::token`] is cancelled or its channel is closed.
    ///
    /// # Errors
    /// The system refuses another thread.
    pub fn thread<F>(&self, name: impl Into<String>, policy: Policy, work: F) -> std::io::Result<()>
    where
        F: FnOnce() + Send + 'static,
    {
        let name = name.into();
        let entry = self.enter(name.clone());
        let tracked = self.inner.tracker.token();
        // The kernel keeps 15 bytes of a thread's name.
        let short: String = name.chars().filter(char::is_ascii).take(15).collect();
        let builder = std::thread::Builder::new().name(short);
        let started = builder.spawn(move || {
            let ended = std::panic::catch_unwind(AssertUnwindSafe(work));
            entry.ended(policy, ended.is_err());
            drop(tracked);
        });
        started.map(drop)
    }

    /// Cancels the tasks of this group and waits for them, `grace` at most.
    pub async fn stop(&self, grace: Duration) -> Stopped {
        self.inner.token.cancel();
        self.inner.tracker.close();
        if tokio::time::timeout(grace, self.inner.tracker.wait())
            .await
            .is_ok()
        {
            return Stopped::default();
        }
        let mut late: Vec<String> = self.running().values().cloned().collect();
        let crews = self.inner.crews.lock().unwrap_or_else(PoisonError::into_inner);
        for crew in crews.iter() {
            late.extend((0..crew.running()).map(|_| crew.name.to_owned()));
        }
        drop(crews);
        late.sort();
        Stopped { late }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, String>> {
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, name: String) -> Entry {
        let number = self.inner.next.fetch_add(1, Ordering::Relaxed);
        self.running().insert(number, name.clone());
        Entry {
            tasks: self.clone(),
            number,
            name,
        }
    }
}

/// Says that the closure panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work ended in a panic")]
pub struct Panicked;

/// One running task; leaves the list when dropped.
struct Entry {
    tasks: Tasks,
    number: u64,
    name: String,
}

impl Entry {
    fn ended(self, policy: Policy, panicked: bool) {
        let asked = self.tasks.inner.token.is_cancelled();
        if panicked {
            tracing::error!(task = %self.name, "task ended in a panic");
        }
        if policy == Policy::StopAll && !asked {
            tracing::error!(task = %self.name, "task ended that must not end: stopping");
            self.tasks.inner.root.cancel();
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.tasks.running().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::{Panicked, Policy, Stopped, Tasks};

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_stop_cancels_and_waits_for_every_task() {
        let tasks = Tasks::new();
        let token = tasks.token();
        tasks.spawn("waits", Policy::StopAll, async move { token.cancelled().await });
        assert_eq!(tasks.stop(SOON).await, Stopped::default());
    }

    #[tokio::test]
    async fn a_stop_names_the_tasks_that_do_not_end() {
        let tasks = Tasks::new();
        tasks.spawn("stubborn", Policy::MayEnd, std::future::pending());
        let stopped = tasks.stop(Duration::from_millis(20)).await;
        assert_eq!(stopped.late, ["stubborn"]);
    }

    #[tokio::test]
    async fn a_task_that_must_not_end_stops_all_others_even_from_a_child_group() {
        let tasks = Tasks::new();
        tasks.child().spawn("falls", Policy::StopAll, async {
            panic!("as planned by this test")
        });
        tokio::time::timeout(SOON, tasks.token().cancelled())
            .await
            .expect("everything is cancelled");
    }

    #[tokio::test]
    async fn a_child_group_stops_without_its_parent() {
        let tasks = Tasks::new();
        let child = tasks.child();
        let token = child.token();
        child.spawn("waits", Policy::StopAll, async move { token.cancelled().await });
        assert_eq!(child.stop(SOON).await, Stopped::default());
        assert!(!tasks.token().is_cancelled());
    }

    #[tokio::test]
    async fn blocking_work_answers_and_a_panic_in_it_is_an_error() {
        let tasks = Tasks::new();
        assert_eq!(tasks.blocking("sum", || 2 + 2).await, Ok(4));
        let failed: Result<(), _> = tasks
            .blocking("falls", || panic!("as planned by this test"))
            .await;
        assert_eq!(failed, Err(Panicked));
    }

    #[tokio::test]
    async fn a_thread_is_waited_for_like_a_task() {
        let tasks = Tasks::new();
        let (send, receive) = mpsc::channel::<()>();
        tasks
            .thread("waits", Policy::MayEnd, move || assert!(receive.recv().is_err()))
            .expect("a thread starts");
        let still = tasks.stop(Duration::from_millis(20)).await;
        assert_eq!(still.late, ["waits"]);
        drop(send);
        assert_eq!(tasks.stop(SOON).await, Stopped::default());
    }
}
