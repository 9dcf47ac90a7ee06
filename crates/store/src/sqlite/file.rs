//! The database file: for its owner only, and for one process only.
//!
//! What it leaves to others: what is in it.

use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use crate::Error;

/// Keeps other processes out for as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

/// A process that is being started by another thread holds every descriptor until it runs its own program, and the
/// lock with it; so the lock is given up by word and not by closing.
impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "the database file stays locked until the process ends");
        }
    }
}

/// Makes the folder (0700) and the file (0600) where they are missing, and locks the file.
///
/// The lock is a file beside the database, because SQLite drops its own locks when any descriptor of the
/// database file is closed in the process (fcntl(2), "Record locks").
pub(super) fn prepare(path: &Path) -> Result<(PathBuf, Lock), Error> {
    let name = path.file_name().ok_or_else(|| Error::File {
        step: "use the database file",
        path: path.to_owned(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidInput, "the path names no file"),
    })?;
    let folder = match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => Path::new("/"),
    };
    let folder = prepare_folder(folder)?;
    let path = folder.join(name);
    // A symbolic link would give one database two lock files.
    let path = if path.is_symlink() {
        path.canonicalize()
            .map_err(|source| failed("find the database file", &path, source))?
    } else {
        path
    };
    let lock = lock(&path)?;
    let file = open_private(&path)?;
    let own = file.set_permissions(Permissions::from_mode(0o600));
    own.map_err(|source| failed("protect the database file", &path, source))?;
    Ok((path, lock))
}

fn prepare_folder(folder: &Path) -> Result<PathBuf, Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| failed("make the folder", folder, source))?;
    let real = folder
        .canonicalize()
        .map_err(|source| failed("find the folder", folder, source))?;
    let mode = real
        .metadata()
        .map_err(|source| failed("look at the folder", &real, source))?
        .mode();
    if mode & 0o022 != 0 {
        return Err(Error::OpenFolder { path: real });
    }
    Ok(real)
}

fn lock(path: &Path) -> Result<Lock, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let beside = PathBuf::from(name);
    let file = open_private(&beside)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { file }),
        Err(TryLockError::WouldBlock) => Err(Error::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(failed("lock the file", &beside, source)),
    }
}

fn open_private(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    options
        .open(path)
        .map_err(|source| failed("open the file", path, source))
}

fn failed(step: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::File {
        step,
        path: path.to_owned(),
        source,
    }
}
