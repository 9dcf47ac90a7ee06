//! The last steps: limits, uid, capabilities, walls. After them the process is the worker.
//!
//! What it leaves to others: namespaces ([`crate::namespaces`]), done before.

use nix::{
    sys::resource::{Resource, getrlimit, setrlimit},
    sys::signal::SigSet,
    sys::stat::{Mode, umask},
    unistd::{Gid, Uid},
};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::{Error, Plan, process, walls};

/// Turns the present single-threaded process into the plan's worker, in its home.
///
/// # Errors
/// A step that the system refuses; the process must then end.
pub fn become_worker(plan: &Plan) -> Result<(), Error> {
    umask(Mode::from_bits_truncate(0o022));
    SigSet::empty()
        .thread_set_mask()
        .map_err(Error::errno("open the signal mask"))?;
    limit(plan)?;
    if plan.changes_user() {
        let groups: Vec<Gid> = plan.worker.groups.iter().copied().map(Gid::from_raw).collect();
        let (uid, gid) = (Uid::from_raw(plan.worker.uid), Gid::from_raw(plan.worker.gid));
        nix::unistd::setgroups(&groups).map_err(Error::errno("set groups"))?;
        nix::unistd::setresgid(gid, gid, gid).map_err(Error::errno("set gid"))?;
        nix::unistd::setresuid(uid, uid, uid).map_err(Error::errno("set uid"))?;
    }
    drop_capabilities()?;
    nix::sys::prctl::set_no_new_privs().map_err(Error::errno("shut privileged programs"))?;
    nix::sys::prctl::set_dumpable(false).map_err(Error::errno("shut tracing"))?;
    if !plan.separation.mounts() {
        make_temporary(plan)?;
    }
    walls::put_up(plan)?;
    let home = &plan.worker.home;
    std::env::set_current_dir(home).map_err(Error::path("enter home", home))
}

/// Closes every file but standard input, output and error, whatever the starter left open.
///
/// # Errors
/// The list of open files cannot be read.
pub fn close_files() -> Result<(), Error> {
    let folder = std::path::Path::new("/proc/self/fd");
    let entries = std::fs::read_dir(folder).map_err(Error::path("list open files in", folder))?;
    let open: Vec<i32> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|&number| number > 2)
        .collect();
    for number in open {
        // The listing's own descriptor is closed already and answers EBADF.
        nix::unistd::close(number).ok();
    }
    Ok(())
}

fn drop_capabilities() -> Result<(), Error> {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::clear_ambient_capability_set().map_err(|e| Error::step("drop capabilities")(e.into()))?;
    rustix::thread::set_capabilities(None, none).map_err(|e| Error::step("drop capabilities")(e.into()))
}

fn limit(plan: &Plan) -> Result<(), Error> {
    let limits = &plan.limits;
    // Under a shared uid the count includes the agent's own threads and all other work.
    let shared = !plan.changes_user() && !plan.separation.in_user();
    let present = if shared {
        process::count_of(plan.worker.uid)
    } else {
        0
    };
    lower(Resource::RLIMIT_NPROC, limits.processes.saturating_add(present))?;
    lower(Resource::RLIMIT_CORE, 0)?;
    lower(Resource::RLIMIT_NOFILE, limits.open_files)?;
    lower(Resource::RLIMIT_FSIZE, limits.file_bytes)?;
    if let Some(bytes) = limits.data_bytes {
        lower(Resource::RLIMIT_DATA, bytes)?;
    }
    Ok(())
}

/// The soft bound of open files that programs expect: more breaks those that wait with select(2). A program that
/// wants more raises its own, up to the hard bound.
const USUAL_OPEN_FILES: u64 = 1024;

/// Lowers a limit; never raises one, for which the right may be missing.
fn lower(resource: Resource, most: u64) -> Result<(), Error> {
    let (soft, hard) = getrlimit(resource).map_err(Error::errno("read a limit"))?;
    let hard = hard.min(most);
    let soft = if resource == Resource::RLIMIT_NOFILE {
        soft.min(USUAL_OPEN_FILES)
    } else {
        most
    };
    setrlimit(resource, soft.min(hard), hard).map_err(Error::errno("set a limit"))
}

fn make_temporary(plan: &Plan) -> Result<(), Error> {
    let folder = plan.temporary();
    match std::fs::create_dir(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::path("make temporary folder", &folder)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
