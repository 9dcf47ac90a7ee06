//! The local node: turns orders into stages on this machine and reports how they stand.
//!
//! What it leaves to others: the stages and finding them again after a restart (crate `stage`), decisions (module
//! `reconcile`).

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use confine::{Account, Confine, cgroup};
use futures::{FutureExt as _, future::BoxFuture, stream::BoxStream};
use model::{JobId, Span, id};
use stage::{Spec, Stages};
use tasks::{Clock, Tasks};

use crate::{
    Error,
    node::{Capacity, OnNode, Order, ReadAsUser, Report},
};

/// What the owner of this machine decides about jobs on it.
#[derive(Debug, Clone)]
pub struct Config {
    /// The node's name.
    pub name: String,
    /// Cores for jobs; none: all of the machine.
    pub cores: Option<u32>,
    /// Bytes of memory for jobs; none: nine tenths of the machine's.
    pub memory_bytes: Option<u64>,
    /// Between asking a job to end and killing it.
    pub grace: Duration,
    /// The most processes and threads of one job.
    pub processes: u64,
    /// The most open files of one process.
    pub open_files: u64,
    /// The most bytes of one file that a job writes, output included.
    pub file_bytes: u64,
    /// Whether control groups are used where the machine has them.
    pub control_groups: bool,
}

impl Config {
    /// What fits most machines: all cores, nine tenths of the memory, 5 seconds of grace, 4096 processes,
    /// 65536 open files, files of at most 64 GiB.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            cores: None,
            memory_bytes: None,
            grace: Duration::from_secs(5),
            processes: 4096,
            open_files: 65_536,
            file_bytes: 64 << 30,
            control_groups: true,
        }
    }
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
    /// Reads output files as their users.
    pub reader: Arc<dyn ReadAsUser>,
    /// The decisions.
    pub config: Config,
}

/// The local node. Clones are the same node.
#[derive(Clone)]
pub struct LocalNode {
    inner: Arc<Inner>,
}

struct Inner {
    stages: Stages<id::Job>,
    confine: Confine,
    reader: Arc<dyn ReadAsUser>,
    config: Config,
    capacity: Capacity,
    base: Option<cgroup::Base>,
}

impl LocalNode {
    /// Opens the node's folder `DATA/jobs` and finds the jobs of an earlier agent: running ones are watched again,
    /// ended ones reported.
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
            reader,
            config,
        } = parts;
        let folder = data.join("jobs");
        let (control_groups, opened) = (config.control_groups, data);
        let base = tasks
            .blocking("jobs.open", move || {
                control_groups.then(|| base_of(&opened)).transpose()
            })
            .await
            .map_err(|_panicked| Error::Panicked)??
            .flatten();
        let stages = stage::Parts {
            tasks,
            clock,
            program,
            folder,
            base: base.clone(),
        };
        let inner = Inner {
            stages: Stages::open(stages).await?,
            capacity: capacity(&config, &confine, base.as_ref()),
            confine,
            reader,
            config,
            base,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }
}

fn base_of(data: &std::path::Path) -> Result<Option<cgroup::Base>, Error> {
    let label = cgroup::label_of(data).map_err(step("look at the data folder"))?;
    Ok(cgroup::Base::prepare(&label))
}

fn capacity(config: &Config, confine: &Confine, base: Option<&cgroup::Base>) -> Capacity {
    let mut reduced = confine.abilities().reduced();
    if !base.is_some_and(cgroup::Base::holds_memory) {
        reduced
            .push("no control group holds memory: memory of jobs is sampled ten times a second".to_owned());
    }
    Capacity {
        name: config.name.clone(),
        cores: config.cores.unwrap_or_else(machine_cores),
        memory_bytes: config.memory_bytes.unwrap_or_else(machine_memory),
        reduced,
    }
}

fn machine_cores() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(cores).unwrap_or(1)
}

fn machine_memory() -> u64 {
    let facts = rustix::system::sysinfo();
    let bytes = facts.totalram.saturating_mul(u64::from(facts.mem_unit));
    bytes / 10 * 9
}

impl OnNode for LocalNode {
    fn capacity(&self) -> Option<Capacity> {
        Some(self.inner.capacity.clone())
    }

    fn is_present(&self) -> bool {
        true
    }

    fn start(&self, order: Order) -> BoxFuture<'_, Result<(), Error>> {
        let inner = Arc::clone(&self.inner);
        async move {
            let stages = inner.stages.clone();
            let started = stages.start(order.id, move || spec(&inner, &order)).await;
            Ok(started?)
        }
        .boxed()
    }

    fn end(&self, job: JobId) -> BoxFuture<'_, Result<(), Error>> {
        async move { Ok(self.inner.stages.end(job).await?) }.boxed()
    }

    fn observe(&self) -> BoxFuture<'_, Result<Vec<Report>, Error>> {
        let known = self.inner.stages.observe();
        let reports = known.into_iter().map(|(id, observed)| Report { id, observed });
        futures::future::ready(Ok(reports.collect())).boxed()
    }

    fn forget(&self, job: JobId) -> BoxFuture<'_, Result<(), Error>> {
        async move { Ok(self.inner.stages.forget(job).await?) }.boxed()
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        self.inner.stages.changed().boxed()
    }

    fn read(&self, account: &Account, path: &str, offset: u64) -> BoxStream<'static, Result<Bytes, Error>> {
        self.inner.reader.read(account, path, offset)
    }
}

/// The order for a stage; makes the home where the zone owns it.
fn spec(inner: &Inner, order: &Order) -> Result<Spec, stage::Error> {
    let config = &inner.config;
    let mut plan = inner.confine.plan(&order.account)?;
    plan.limits.processes = config.processes;
    plan.limits.open_files = config.open_files;
    plan.limits.file_bytes = config.file_bytes;
    plan.temporary_bytes = order.memory_bytes;
    if !inner.base.as_ref().is_some_and(cgroup::Base::holds_memory) {
        // Between two samples a single process shall not take much more than its share.
        plan.limits.data_bytes = Some(order.memory_bytes.saturating_add(order.memory_bytes / 4));
    }
    let variables = [
        ("SOKE_JOB_ID", order.id.to_string()),
        ("SOKE_JOB_NUMBER", order.number.to_string()),
        ("SOKE_JOB_NAME", order.name.clone()),
        ("SOKE_JOB_CORES", order.cores.to_string()),
        ("SOKE_JOB_MEMORY_BYTES", order.memory_bytes.to_string()),
        ("SOKE_JOB_NODE", config.name.clone()),
    ];
    Ok(Spec {
        name: order.id.to_string(),
        plan,
        cgroup: inner.base.clone(),
        work: order.work.clone(),
        environment: variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        working_directory: order.working_directory.clone(),
        stdout: order.stdout_path.clone(),
        stderr: order.stderr_path.clone(),
        keep_earlier_output: false,
        note: String::new(),
        memory_bytes: order.memory_bytes,
        time_limit: Some(order.time_limit),
        grace: Span::from(config.grace),
    })
}

fn step(step: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Node { step, source }
}
