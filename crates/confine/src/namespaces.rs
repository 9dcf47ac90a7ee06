//! Namespaces: processes and mounts of their own, with root's right or inside a user namespace.
//!
//! Two steps, because the first process of a PID namespace is a child of the one that asked for it:
//! [`outer`] in the process that stays outside, [`inner`] in its child. What it leaves to others: what is
//! mounted (module `mounts`), and becoming the worker ([`crate::enter`]).

use nix::{
    sched::{CloneFlags, unshare},
    unistd::{Gid, Uid},
};
use rustix::thread::{CapabilitySet, CapabilitySets};
use serde::{Deserialize, Serialize};

use crate::{Error, Plan, mounts};

/// Which namespaces the machine lets us make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Separation {
    /// None.
    None,
    /// Mounts and shared memory.
    Mounts {
        /// Inside a user namespace, for want of root's right.
        in_user: bool,
    },
    /// Mounts, shared memory and processes.
    Full {
        /// Inside a user namespace, for want of root's right.
        in_user: bool,
    },
}

impl Separation {
    /// Whether mounts are separated.
    #[must_use]
    pub const fn mounts(self) -> bool {
        matches!(self, Separation::Mounts { .. } | Separation::Full { .. })
    }

    /// Whether processes are separated.
    #[must_use]
    pub const fn processes(self) -> bool {
        matches!(self, Separation::Full { .. })
    }

    /// Whether a user namespace is needed first.
    #[must_use]
    pub const fn in_user(self) -> bool {
        matches!(
            self,
            Separation::Mounts { in_user: true } | Separation::Full { in_user: true }
        )
    }
}

/// First step, in the single-threaded process that stays outside: its next child is the first process of
/// the new PID namespace, where there is one, and keeps the right to mount.
///
/// # Errors
/// The system refuses a namespace.
pub fn outer(separation: Separation) -> Result<(), Error> {
    if separation.in_user() {
        enter_user()?;
        keep_mount_right()?;
    }
    if separation.processes() {
        unshare(CloneFlags::CLONE_NEWPID).map_err(Error::errno("make a PID namespace"))?;
    }
    Ok(())
}

/// Second step, in the child: mounts and shared memory of its own, covers, home, temporary folder, and a
/// `/proc` that shows only the new processes.
///
/// # Errors
/// The system refuses a namespace or a mount.
pub fn inner(plan: &Plan) -> Result<(), Error> {
    if plan.separation.mounts() {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC)
            .map_err(Error::errno("make a mount namespace"))?;
        mounts::arrange(plan, plan.separation.processes())?;
    }
    Ok(())
}

/// Both steps in one process that needs no PID namespace.
///
/// # Errors
/// The system refuses a namespace or a mount.
pub fn mounts_only(plan: &Plan) -> Result<(), Error> {
    if plan.separation.mounts() {
        if plan.separation.in_user() {
            enter_user()?;
        }
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC)
            .map_err(Error::errno("make a mount namespace"))?;
        mounts::arrange(plan, false)?;
    }
    Ok(())
}

/// Tries a mount namespace with a tmpfs and, where asked, a `/proc` of its own: for the probe.
pub(crate) fn try_mounts(new_proc: bool) -> Result<(), Error> {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC)
        .map_err(Error::errno("make a mount namespace"))?;
    mounts::try_out(new_proc)
}

/// Enters a user namespace in which uid and gid are the same as outside (user_namespaces(7)).
pub(crate) fn enter_user() -> Result<(), Error> {
    let (uid, gid) = (Uid::effective(), Gid::effective());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(Error::errno("make a user namespace"))?;
    let write = |path: &'static str, text: String| {
        std::fs::write(path, text).map_err(Error::path("map ids in", path.as_ref()))
    };
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    write("/proc/self/gid_map", format!("{gid} {gid} 1"))
}

/// Lets the right to mount pass an exec, which a uid other than 0 would lose (capabilities(7), "ambient").
fn keep_mount_right() -> Result<(), Error> {
    let step = Error::step;
    let mount = CapabilitySet::SYS_ADMIN;
    let held = rustix::thread::capabilities(None).map_err(|e| step("read capabilities")(e.into()))?;
    let sets = CapabilitySets {
        inheritable: held.inheritable | mount,
        ..held
    };
    rustix::thread::set_capabilities(None, sets).map_err(|e| step("pass on the mount right")(e.into()))?;
    rustix::thread::configure_capability_in_ambient_set(mount, true)
        .map_err(|e| step("pass on the mount right")(e.into()))
}
