//! What the work sees of the file system: the machine as it is, with the data folder covered, its own home
//! at its own path, and private temporary folders.
//!
//! What it leaves to others: making the namespace ([`crate::namespaces`]).

use std::{
    fs::File,
    os::fd::{AsRawFd as _, OwnedFd},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use nix::{
    fcntl::OFlag,
    mount::{MsFlags, mount},
    sys::stat::{Mode, umask},
};

use crate::{Error, Plan};

const NONE: Option<&str> = None;

/// Arranges the mounts of the present mount namespace.
pub(crate) fn arrange(plan: &Plan, new_proc: bool) -> Result<(), Error> {
    keep_private()?;
    // The folders above the home are made anew, and the worker must be able to pass them.
    umask(Mode::from_bits_truncate(0o022));
    let home = &plan.worker.home;
    // Held open before anything covers it: the cover comes between path and folder, not before this.
    let held = hold(home)?;
    let temporary = [PathBuf::from("/tmp"), PathBuf::from("/dev/shm")];
    let mut covered: Vec<PathBuf> = Vec::new();
    for folder in &temporary {
        if folder.is_dir() {
            let options = format!("mode=1777,size={}", plan.temporary_bytes);
            cover(folder, &options)?;
            covered.push(folder.clone());
        }
    }
    for folder in &plan.covered {
        if !covered.iter().any(|above| folder.starts_with(above)) {
            cover(folder, "mode=0755,size=64k")?;
            covered.push(folder.clone());
        }
    }
    if let Some(above) = covered.iter().find(|above| home.starts_with(above)) {
        std::fs::create_dir_all(home).map_err(Error::path("make the place of the home", home))?;
        let source = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
        let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(&source), home, NONE, flags, NONE).map_err(Error::errno("show the home at its place"))?;
        if !temporary.contains(above) {
            close(above)?;
        }
    }
    if new_proc {
        mount_proc()?;
    }
    Ok(())
}

/// Tries what [`arrange`] does, without a home.
pub(crate) fn try_out(new_proc: bool) -> Result<(), Error> {
    keep_private()?;
    cover(Path::new("/tmp"), "mode=1777,size=64k")?;
    if new_proc { mount_proc() } else { Ok(()) }
}

fn keep_private() -> Result<(), Error> {
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)
        .map_err(Error::errno("keep mounts private"))
}

fn mount_proc() -> Result<(), Error> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, NONE).map_err(Error::errno("mount a new /proc"))
}

fn hold(home: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    let file = File::options().read(true).custom_flags(flags.bits()).open(home);
    file.map(OwnedFd::from).map_err(Error::path("open home", home))
}

fn cover(folder: &Path, options: &str) -> Result<(), Error> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), folder, Some("tmpfs"), flags, Some(options))
        .map_err(|errno| Error::path("cover folder", folder)(errno.into()))
}

/// Makes a cover read-only. What is mounted below stays as it is.
fn close(folder: &Path) -> Result<(), Error> {
    let flags =
        MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(NONE, folder, NONE, flags, NONE).map_err(|errno| Error::path("close cover", folder)(errno.into()))
}
