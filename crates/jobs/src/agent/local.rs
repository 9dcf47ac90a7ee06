//! The blocking steps of the local node: files, processes, signals.
//!
//! What it leaves to others: waiting for stages (module `adopt`).

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::unix::{
        fs::{DirBuilderExt as _, OpenOptionsExt as _},
        process::CommandExt as _,
    },
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use confine::{Plan, cgroup, process::Identity};
use model::JobId;
use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use tokio::sync::Notify;

use super::{Inner, Parts, grace, step};
use crate::{
    Error,
    node::{Capacity, Observed, Order},
    stage::{Folder, NAME, SUBCOMMAND, SUPERVISE, Spec},
};

/// How long the control group of a lost job may take to be empty.
const LAST: Duration = Duration::from_secs(5);

/// Opens the node's folder; gives the jobs that have a folder in it.
pub(super) fn open(parts: Parts) -> Result<(Inner, Vec<JobId>), Error> {
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
    match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(step("make the folder of jobs")(error));
        }
        Ok(()) | Err(_) => {}
    }
    let base = if config.control_groups {
        let label = cgroup::label_of(&data).map_err(step("look at the data folder"))?;
        cgroup::Base::prepare(&label)
    } else {
        None
    };
    let mut reduced = confine.abilities().reduced();
    if !base.as_ref().is_some_and(cgroup::Base::holds_memory) {
        reduced
            .push("no control group holds memory: memory of jobs is sampled ten times a second".to_owned());
    }
    let capacity = Capacity {
        name: config.name.clone(),
        cores: config.cores.unwrap_or_else(machine_cores),
        memory_bytes: config.memory_bytes.unwrap_or_else(machine_memory),
        reduced,
    };
    let entries = std::fs::read_dir(&folder).map_err(step("list the folder of jobs"))?;
    let found = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    let inner = Inner {
        tasks,
        clock,
        confine,
        program,
        folder,
        reader,
        config,
        capacity,
        base,
        known: Mutex::new(BTreeMap::new()),
        news: Notify::new(),
    };
    Ok((inner, found))
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

impl Inner {
    pub(super) fn folder_of(&self, id: JobId) -> Folder {
        Folder::new(self.folder.join(id.to_string()))
    }
}

/// Writes the order and starts its stage; nothing where the job is known already.
pub(super) fn start(inner: &Inner, order: &Order) -> Result<Option<Child>, Error> {
    let folder = inner.folder_of(order.id);
    if inner.known().contains_key(&order.id) {
        return Ok(None);
    }
    let plan = inner.confine.plan(&order.account).map_err(Error::Confine)?;
    let spec = spec(inner, order, plan);
    // An order that is there already stays as it is: its lock may be held.
    if folder.ordered().map_err(step("read the order"))?.is_none() {
        folder.order(&spec).map_err(step("write the order"))?;
    }
    let stage = spawn(inner, &folder)?;
    inner.note(order.id, Observed::Starting);
    Ok(Some(stage))
}

fn spec(inner: &Inner, order: &Order, mut plan: Plan) -> Spec {
    let config = &inner.config;
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
    Spec {
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
        memory_bytes: order.memory_bytes,
        time_limit: order.time_limit,
        grace: grace(config),
    }
}

/// Starts the stage of a folder. Its standard output says one byte when the program runs.
pub(super) fn spawn(inner: &Inner, folder: &Folder) -> Result<Child, Error> {
    let log = File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(folder.log_path())
        .map_err(step("open the stage's log"))?;
    Command::new(&inner.program)
        .arg0(NAME)
        .args([SUBCOMMAND, SUPERVISE])
        .arg(folder.path())
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(step("start the stage"))
}

/// Sends the stage of a job the signal to end. Its process is held before it is asked who it is, so that
/// no other process with the same number can be hit.
pub(super) fn end(inner: &Inner, id: JobId) -> Result<(), Error> {
    let folder = inner.folder_of(id);
    let Some(identity) = folder.supervisor().map_err(step("read who supervises"))? else {
        return Ok(());
    };
    let Some(held) = hold(&identity)? else {
        return Ok(());
    };
    match pidfd_send_signal(&held, Signal::TERM) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(errno) => Err(step("signal the stage")(errno.into())),
    }
}

/// A descriptor of that very process; nothing when it has ended.
pub(super) fn hold(identity: &Identity) -> Result<Option<std::os::fd::OwnedFd>, Error> {
    let Some(pid) = i32::try_from(identity.pid).ok().and_then(Pid::from_raw) else {
        return Ok(None);
    };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(held) => Ok(identity.runs().then_some(held)),
        Err(rustix::io::Errno::SRCH) => Ok(None),
        Err(errno) => Err(step("hold the stage")(errno.into())),
    }
}

/// Removes the folder of a job that has ended, or of one that never was.
pub(super) fn forget(inner: &Inner, id: JobId) -> Result<(), Error> {
    let ended = matches!(
        inner.known().get(&id),
        Some(Observed::Ended(_) | Observed::Lost) | None
    );
    if !ended {
        return Ok(());
    }
    match std::fs::remove_dir_all(inner.folder_of(id).path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(step("remove the job's folder")(error));
        }
        Ok(()) | Err(_) => {}
    }
    inner.known().remove(&id);
    Ok(())
}

/// How a folder says its job stands.
pub(super) enum Standing {
    Observed(Observed),
    /// A stage lives; who it is may not be written yet.
    Lives(Option<Identity>),
    /// Ordered, and no stage ever was.
    Ordered,
    /// Not even ordered: the agent ended between making the folder and writing the order.
    Unordered,
}

pub(super) fn look(inner: &Inner, id: JobId) -> Result<Standing, Error> {
    let folder = inner.folder_of(id);
    // The lock first: a stage that ends between the two looks has written its end before it let go.
    let lives = match File::open(folder.spec_path()) {
        Ok(order) => flock(&order, FlockOperation::NonBlockingLockShared).is_err(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let supervisor = folder.supervisor().map_err(step("read who supervises"))?;
            return Ok(match supervisor {
                None => Standing::Unordered,
                Some(_) => Standing::Observed(Observed::Lost),
            });
        }
        Err(error) => return Err(step("open the order")(error)),
    };
    if let Some(exit) = folder.exit().map_err(step("read the end"))? {
        return Ok(Standing::Observed(Observed::Ended(std::sync::Arc::new(exit))));
    }
    let supervisor = folder.supervisor().map_err(step("read who supervises"))?;
    Ok(match (lives, supervisor) {
        (true, supervisor) => Standing::Lives(supervisor),
        (false, None) => Standing::Ordered,
        (false, Some(_)) => Standing::Observed(Observed::Lost),
    })
}

/// Ends what a stage that was killed may have left where control groups can find it, and removes its group.
pub(super) fn clear(inner: &Inner, id: JobId) {
    let Some(base) = &inner.base else {
        return;
    };
    let group = base.group(&id.to_string());
    let left = group.kill(LAST, || inner.clock.monotonic());
    if left > 0 || !group.remove() {
        tracing::warn!(job = %id, left, "the control group of a lost job is not empty");
    }
}
