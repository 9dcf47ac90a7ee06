//! The blocking steps of looking after stages: files, processes, signals.
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
    sync::{Arc, Mutex},
    time::Duration,
};

use confine::process::Identity;
use model::Id;
use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use tokio::sync::Notify;

use super::{Inner, Observed, Parts};
use crate::{Error, Folder, NAME, SUBCOMMAND, SUPERVISE, Spec};

/// How long the control group of lost work may take to be empty.
const LAST: Duration = Duration::from_secs(5);

/// Opens the folder; gives the work that has a folder in it.
pub(super) fn open<K>(parts: Parts) -> Result<(Inner<K>, Vec<Id<K>>), Error> {
    let Parts {
        tasks,
        clock,
        program,
        folder,
        base,
    } = parts;
    match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Error::step("make the folder of stages")(error));
        }
        Ok(()) | Err(_) => {}
    }
    let entries = std::fs::read_dir(&folder).map_err(Error::step("list the folder of stages"))?;
    let found = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    let inner = Inner {
        tasks,
        clock,
        program,
        folder,
        base,
        known: Mutex::new(BTreeMap::new()),
        news: Notify::new(),
    };
    Ok((inner, found))
}

/// Writes the order and starts its stage; nothing where the work is known already.
pub(super) fn start<K>(
    inner: &Inner<K>,
    id: Id<K>,
    make: impl FnOnce() -> Result<Spec, Error>,
) -> Result<Option<Child>, Error> {
    let folder = inner.folder_of(id);
    if inner.known().contains_key(&id) {
        return Ok(None);
    }
    let spec = make()?;
    // An order that is there already stays as it is: its lock may be held.
    if folder.ordered().map_err(Error::step("read the order"))?.is_none() {
        folder.order(&spec).map_err(Error::step("write the order"))?;
    }
    let stage = spawn(inner, &folder)?;
    inner.note(id, Observed::Starting);
    Ok(Some(stage))
}

/// Starts the stage of a folder. Its standard output says one byte when the program runs.
pub(super) fn spawn<K>(inner: &Inner<K>, folder: &Folder) -> Result<Child, Error> {
    let log = File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(folder.log_path())
        .map_err(Error::step("open the stage's log"))?;
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
        .map_err(Error::step("start the stage"))
}

/// Sends the stage of a piece of work the signal to end. Its process is held before it is asked who it is, so that
/// no other process with the same number can be hit.
pub(super) fn end<K>(inner: &Inner<K>, id: Id<K>) -> Result<(), Error> {
    let folder = inner.folder_of(id);
    let Some(identity) = folder.supervisor().map_err(Error::step("read who supervises"))? else {
        return Ok(());
    };
    let Some(held) = hold(&identity)? else {
        return Ok(());
    };
    match pidfd_send_signal(&held, Signal::TERM) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(errno) => Err(Error::step("signal the stage")(errno.into())),
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
        Err(errno) => Err(Error::step("hold the stage")(errno.into())),
    }
}

/// Removes the folder of work that has ended, or of work that never was.
pub(super) fn forget<K>(inner: &Inner<K>, id: Id<K>) -> Result<(), Error> {
    let ended = matches!(
        inner.known().get(&id),
        Some(Observed::Ended(_) | Observed::Lost) | None
    );
    if !ended {
        return Ok(());
    }
    match std::fs::remove_dir_all(inner.folder_of(id).path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::step("remove the work's folder")(error));
        }
        Ok(()) | Err(_) => {}
    }
    inner.known().remove(&id);
    Ok(())
}

/// How a folder says its work stands.
pub(super) enum Standing {
    Observed(Observed),
    /// A stage lives; who it is may not be written yet.
    Lives(Option<Identity>),
    /// Ordered, and no stage ever was.
    Ordered,
    /// Not even ordered: the agent ended between making the folder and writing the order.
    Unordered,
}

pub(super) fn look<K>(inner: &Inner<K>, id: Id<K>) -> Result<Standing, Error> {
    let folder = inner.folder_of(id);
    // The lock first: a stage that ends between the two looks has written its end before it let go.
    let lives = match File::open(folder.spec_path()) {
        Ok(order) => flock(&order, FlockOperation::NonBlockingLockShared).is_err(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let supervisor = folder.supervisor().map_err(Error::step("read who supervises"))?;
            return Ok(match supervisor {
                None => Standing::Unordered,
                Some(_) => Standing::Observed(Observed::Lost),
            });
        }
        Err(error) => return Err(Error::step("open the order")(error)),
    };
    if let Some(exit) = folder.exit().map_err(Error::step("read the end"))? {
        return Ok(Standing::Observed(Observed::Ended(Arc::new(exit))));
    }
    let supervisor = folder.supervisor().map_err(Error::step("read who supervises"))?;
    Ok(match (lives, supervisor) {
        (true, supervisor) => Standing::Lives(supervisor),
        (false, None) => Standing::Ordered,
        (false, Some(_)) => Standing::Observed(Observed::Lost),
    })
}

/// Ends what a stage that was killed may have left where control groups can find it, and removes its group.
pub(super) fn clear<K>(inner: &Inner<K>, id: Id<K>) {
    let Some(base) = &inner.base else {
        return;
    };
    let group = base.group(&id.to_string());
    let left = group.kill(LAST, || inner.clock.monotonic());
    if left > 0 || !group.remove() {
        tracing::warn!(work = %id, left, "the control group of lost work is not empty");
    }
}
