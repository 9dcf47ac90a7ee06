//! Puts a file in its place as a whole or not at all.
//!
//! The bytes go into a file without a name in the folder of the target, so that nothing is left of them however this
//! ends; where the file system has no such files, into a hidden one. Once all bytes lie on the disk the file takes the
//! target's name in one step, and the folder is brought to the disk too. What it leaves to others: which bytes
//! (`Flow`), and whether the user may (the system, which is asked as the user).

use std::{
    fs::{File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::{
        fd::AsRawFd as _,
        unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, AtFlags, CWD, Mode, OFlags},
    io::Errno,
};

use super::{Reply, Stop, why};
use crate::frame::Why;

/// How many links are followed to the target: as many as the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;
/// After so many bytes what is written goes to the disk, so that no wait at the end is long.
const TO_DISK: usize = 64 << 20;
/// How many hidden names are tried before the folder counts as broken.
const MOST_NAMES: u32 = 1000;
/// What a fresh file gets, less the process's mask (open(2)).
const FRESH: u32 = 0o666;

impl Reply<'_> {
    /// Writes what comes until its end, then gives it the name. Says with each part that one more chunk may come.
    pub(super) fn write(&self, path: &Path) -> Result<(), Stop> {
        let target = Target::find(path)?;
        self.is_kept(&target.folder)?;
        let mut fresh = Fresh::open(&target, self.id)?;
        let mut unsafe_bytes = 0;
        self.part(&[])?;
        while let Some(bytes) = self.flow.bytes().map_err(|_ended| Stop::Unwanted)? {
            fresh.file.write_all(&bytes).map_err(why_not)?;
            unsafe_bytes += bytes.len();
            if unsafe_bytes >= TO_DISK {
                fresh.file.sync_data().map_err(why_not)?;
                unsafe_bytes = 0;
            }
            self.part(&[])?;
        }
        fresh.take_name_of(&target)
    }
}

impl Reply<'_> {
    /// Refuses folders that only this process sees and that go with it: nobody would ever find the file.
    fn is_kept(&self, folder: &Path) -> Result<(), Stop> {
        let agent = self.agent;
        if agent.vanishing.is_empty() {
            return Ok(());
        }
        let folder = folder.canonicalize().map_err(why_not)?;
        let vanishes = agent.vanishing.iter().any(|above| folder.starts_with(above));
        if vanishes && !folder.starts_with(&agent.home) {
            return Err(Stop::Failed(Why::NotKept));
        }
        Ok(())
    }
}

/// Where the file shall be.
struct Target {
    path: PathBuf,
    folder: PathBuf,
    /// What is there now, if anything.
    now: Option<std::fs::Metadata>,
}

impl Target {
    /// Follows links to the place itself, so that a link stays one and what it leads to is replaced. A file that is
    /// there must be one that the user may write: to replace it, the system would only ask for the folder.
    fn find(path: &Path) -> Result<Self, Stop> {
        let mut path = path.to_owned();
        for _link in 0..MOST_LINKS {
            let now = match std::fs::symlink_metadata(&path) {
                Ok(now) => Some(now),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(why_not(error)),
            };
            let folder = match path.parent() {
                Some(folder) if path.file_name().is_some() => folder.to_owned(),
                Some(_) | None => return Err(Stop::Failed(Why::NotAFile)),
            };
            match now {
                Some(now) if now.is_symlink() => {
                    path = folder.join(std::fs::read_link(&path).map_err(why_not)?);
                }
                Some(now) if !now.is_file() => return Err(Stop::Failed(Why::NotAFile)),
                now => {
                    if now.is_some() {
                        let asked = rustix::fs::accessat(CWD, &path, Access::WRITE_OK, AtFlags::EACCESS);
                        asked.map_err(|errno| why_not(errno.into()))?;
                    }
                    return Ok(Self { path, folder, now });
                }
            }
        }
        Err(Stop::Failed(Why::BadPath))
    }
}

/// A file that is not the target yet. Dropping it leaves nothing of it.
struct Fresh {
    file: File,
    /// The hidden name that it has now, if any.
    name: Option<PathBuf>,
    hidden: Hidden,
}

/// Names that nobody else uses: of this process and answer, and a number.
struct Hidden {
    folder: PathBuf,
    id: u64,
}

impl Fresh {
    fn open(target: &Target, id: u64) -> Result<Self, Stop> {
        let hidden = Hidden {
            folder: target.folder.clone(),
            id,
        };
        let nameless = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let fresh = match rustix::fs::openat(CWD, &target.folder, nameless, Mode::from_bits_truncate(FRESH)) {
            Ok(file) => Self {
                file: file.into(),
                name: None,
                hidden,
            },
            // What a kernel or a file system without such files answers (open(2), O_TMPFILE).
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => Self::with_name(hidden)?,
            Err(errno) => return Err(why_not(errno.into())),
        };
        if let Some(now) = &target.now {
            fresh.be_as(now)?;
        }
        Ok(fresh)
    }

    fn with_name(hidden: Hidden) -> Result<Self, Stop> {
        let make = |name: &Path| {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(FRESH).open(name)
        };
        let (file, name) = hidden.try_names(make)?;
        Ok(Self {
            file,
            name: Some(name),
            hidden,
        })
    }

    /// Takes on who may do what with the file that it replaces. The group stays the user's own where the user may not
    /// give it away; then the rights of the group are not handed on.
    fn be_as(&self, now: &std::fs::Metadata) -> Result<(), Stop> {
        let mut mode = now.mode() & 0o777;
        let given = std::os::unix::fs::fchown(&self.file, None, Some(now.gid()));
        if given.is_err() {
            mode &= 0o707;
        }
        let permissions = Permissions::from_mode(mode);
        self.file.set_permissions(permissions).map_err(why_not)
    }

    fn take_name_of(&mut self, target: &Target) -> Result<(), Stop> {
        self.file.sync_all().map_err(why_not)?;
        // A folder may be one that the user can write and not read; then all of its file system goes to the disk.
        let folder = File::open(&target.folder);
        let name = match self.name.take() {
            Some(name) => name,
            None => self.get_hidden_name()?,
        };
        // From here on a failure must take the name away again.
        let name = self.name.insert(name);
        std::fs::rename(&*name, &target.path).map_err(why_not)?;
        self.name = None;
        match folder {
            Ok(folder) => folder.sync_all().map_err(why_not),
            Err(_not_read) => rustix::fs::syncfs(&self.file).map_err(|errno| why_not(errno.into())),
        }
    }

    /// A link cannot replace a file, hence a name in between.
    fn get_hidden_name(&self) -> Result<PathBuf, Stop> {
        let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let ((), name) = self.hidden.try_names(|name| {
            let linked = rustix::fs::linkat(CWD, own.as_str(), CWD, name, AtFlags::SYMLINK_FOLLOW);
            linked.map_err(io::Error::from)
        })?;
        Ok(name)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // What cannot be removed is a hidden file that the user can remove.
            std::fs::remove_file(name).unwrap_or_default();
        }
    }
}

impl Hidden {
    fn try_names<T>(&self, mut make: impl FnMut(&Path) -> io::Result<T>) -> Result<(T, PathBuf), Stop> {
        let process = std::process::id();
        for number in 0..MOST_NAMES {
            let name = format!(".soke-{process}-{}-{number}.part", self.id);
            let name = self.folder.join(name);
            match make(&name) {
                Ok(made) => return Ok((made, name)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(why_not(error)),
            }
        }
        Err(Stop::Failed(Why::Broken))
    }
}

/// What the system's answer to a write means.
fn why_not(error: io::Error) -> Stop {
    match Errno::from_io_error(&error) {
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::TXTBSY) => Stop::Failed(Why::NotWritable),
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Stop::Failed(Why::Full),
        _ => why(error),
    }
}

#[cfg(test)]
mod tests;
