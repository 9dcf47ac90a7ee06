//! The local node: turns orders into stages on this machine, and asks each process whether it answers.
//!
//! What it leaves to others: the stages and finding them again after a restart (crate `stage`), the asking itself
//! (module `health`), decisions (module `reconcile`).

mod health;
mod spec;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use confine::{Confine, cgroup};
use futures::{FutureExt as _, future::BoxFuture};
use model::{ErrorKind, RunId, ServiceId, id};
use stage::Stages;
use tasks::{Clock, Policy, Tasks};
use tokio::sync::Notify;

use crate::{
    Error,
    node::{Observed, OnNode, Order, Report},
};

use spec::Note;

/// What the owner of this machine decides about services on it.
#[derive(Debug, Clone)]
pub struct Config {
    /// The node's name.
    pub name: String,
    /// Between asking a process to end and killing it.
    pub grace: Duration,
    /// The most processes and threads of one service.
    pub processes: u64,
    /// The most open files of one process.
    pub open_files: u64,
    /// The most bytes of one file that a service writes, its log included.
    pub file_bytes: u64,
    /// Whether control groups are used where the machine has them.
    pub control_groups: bool,
}

/// What the local node is built from.
pub struct Parts {
    /// Owns the watching tasks.
    pub tasks: Tasks,
    /// Tells the time.
    pub clock: Clock,
    /// Plans as whom work is done.
    pub confine: Confine,
    /// Our own binary, which knows the hidden subcommand `stage`.
    pub program: PathBuf,
    /// The data folder of this machine's agent.
    pub data: PathBuf,
    /// The decisions.
    pub config: Config,
}

/// The local node. Clones are the same node.
#[derive(Clone)]
pub struct LocalNode {
    inner: Arc<Inner>,
}

struct Inner {
    tasks: Tasks,
    stages: Stages<id::Run>,
    confine: Confine,
    config: Config,
    base: Option<cgroup::Base>,
    asked: Mutex<BTreeMap<RunId, Asked>>,
    news: Notify,
}

/// A process that is asked whether it answers.
#[derive(Debug, Clone)]
struct Asked {
    service: ServiceId,
    port: u16,
    /// Why it does not answer; none: it does.
    silent: Option<String>,
}

impl LocalNode {
    /// Opens the node's folder `DATA/services` and finds the runs of an earlier agent: those that run are watched
    /// again, ended ones reported.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub async fn start(parts: Parts) -> Result<Self, Error> {
        let Parts {
            tasks,
            clock,
            confine,
            program,
            data,
            config,
        } = parts;
        let tasks = tasks.child();
        let folder = data.join("services");
        let control_groups = config.control_groups;
        let base = tasks.blocking("services.open", move || {
            control_groups.then(|| base_of(&data)).transpose()
        });
        let base = base.await.map_err(|_panicked| stage::Error::Panicked)??.flatten();
        let stages = stage::Parts {
            tasks: tasks.clone(),
            clock,
            program,
            folder,
            base: base.clone(),
        };
        let inner = Inner {
            stages: Stages::open(stages).await?,
            tasks: tasks.clone(),
            confine,
            config,
            base,
            asked: Mutex::new(BTreeMap::new()),
            news: Notify::new(),
        };
        let node = Self {
            inner: Arc::new(inner),
        };
        node.watch(&tasks);
        Ok(node)
    }

    /// Tells whether a service of this node answers at a port now: the only ports that a tunnel may lead to.
    #[must_use]
    pub fn serves(&self, service: ServiceId, port: u16) -> bool {
        let asked = self.inner.asked();
        let fits = |asked: &Asked| asked.service == service && asked.port == port && asked.silent.is_none();
        asked.values().any(fits)
    }

    /// Hands on what the stages say, and has each process that runs asked.
    fn watch(&self, tasks: &Tasks) {
        let (node, token) = (self.clone(), tasks.token());
        tasks.spawn("services.watch", Policy::StopAll, async move {
            loop {
                for (run, observed) in node.inner.stages.observe() {
                    if matches!(observed, stage::Observed::Running { .. }) {
                        node.ask(run).await;
                    }
                }
                node.inner.news.notify_one();
                tokio::select! {
                    () = token.cancelled() => return,
                    () = node.inner.stages.changed() => {}
                }
            }
        });
    }

    /// Has a process asked from now on, where it is not asked already.
    async fn ask(&self, run: RunId) {
        if self.inner.asked().contains_key(&run) {
            return;
        }
        let folder = self.inner.stages.folder_of(run);
        let ordered = self
            .inner
            .tasks
            .blocking("services.note", move || folder.ordered());
        let spec = match ordered.await {
            Ok(Ok(Some(spec))) => spec,
            Ok(Ok(None)) | Err(_) => return,
            Ok(Err(error)) => {
                tracing::error!(%run, %error, "the order of a service cannot be read");
                return;
            }
        };
        let Some(note) = Note::of(&spec) else {
            tracing::error!(%run, "the order of a service does not say its port");
            return;
        };
        let silent = Some("it has not answered yet".to_owned());
        let asked = Asked {
            service: note.service,
            port: note.port,
            silent,
        };
        self.inner.asked().insert(run, asked);
        let (node, token) = (self.clone(), self.inner.tasks.token());
        let (name, uid) = (format!("services.health {run}"), spec.plan.worker.uid);
        self.inner.tasks.spawn(name, Policy::MayEnd, async move {
            tokio::select! {
                () = token.cancelled() => {}
                () = node.keep_asking(run, &note, uid) => {}
            }
        });
    }

    /// Asks a process as long as it runs.
    async fn keep_asking(&self, run: RunId, note: &Note, uid: u32) {
        let mut pace = health::Pace::new();
        while self.runs(run) {
            let silent = health::ask(note, uid).await;
            let wait = pace.next(silent.is_none());
            if self.inner.note(run, silent) {
                self.inner.news.notify_one();
            }
            tokio::time::sleep(wait).await;
        }
        self.inner.asked().remove(&run);
    }

    fn runs(&self, run: RunId) -> bool {
        let all = self.inner.stages.observe();
        let found = all.into_iter().find(|(known, _)| *known == run);
        found.is_some_and(|(_, observed)| matches!(observed, stage::Observed::Running { .. }))
    }
}

impl Inner {
    fn asked(&self) -> MutexGuard<'_, BTreeMap<RunId, Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes whether a process answers; says whether that is new.
    fn note(&self, run: RunId, silent: Option<String>) -> bool {
        let mut asked = self.asked();
        let Some(known) = asked.get_mut(&run) else {
            return false;
        };
        let is_new = known.silent != silent;
        known.silent = silent;
        is_new
    }

    fn observed(&self, run: RunId, observed: stage::Observed) -> Observed {
        match observed {
            stage::Observed::Starting => Observed::Starting,
            stage::Observed::Running { started_at } => match self.asked().get(&run) {
                Some(asked) => Observed::Running {
                    started_at,
                    port: asked.port,
                    silent: asked.silent.clone(),
                },
                None => Observed::Starting,
            },
            stage::Observed::Ended(exit) => Observed::Ended(exit),
            stage::Observed::Lost => Observed::Lost,
        }
    }
}

impl OnNode for LocalNode {
    fn start(&self, order: Order) -> BoxFuture<'_, Result<(), Error>> {
        let inner = Arc::clone(&self.inner);
        async move {
            let stages = inner.stages.clone();
            let started = stages.start(order.run, move || {
                spec::make(&inner.confine, &inner.config, inner.base.as_ref(), &order)
            });
            Ok(started.await?)
        }
        .boxed()
    }

    fn end(&self, run: RunId) -> BoxFuture<'_, Result<(), Error>> {
        async move { Ok(self.inner.stages.end(run).await?) }.boxed()
    }

    fn observe(&self) -> BoxFuture<'_, Result<Vec<Report>, Error>> {
        let known = self.inner.stages.observe().into_iter();
        let reports = known.map(|(run, observed)| Report {
            run,
            observed: self.inner.observed(run, observed),
        });
        futures::future::ready(Ok(reports.collect())).boxed()
    }

    fn forget(&self, run: RunId) -> BoxFuture<'_, Result<(), Error>> {
        async move { Ok(self.inner.stages.forget(run).await?) }.boxed()
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        self.inner.news.notified().boxed()
    }
}

fn base_of(data: &Path) -> Result<Option<cgroup::Base>, Error> {
    let failed = |source: io::Error| Error::Node {
        step: "look at the data folder",
        kind: ErrorKind::Internal,
        source: Box::new(source),
    };
    let label = cgroup::label_of(data).map_err(failed)?;
    Ok(cgroup::Base::prepare(&label))
}
