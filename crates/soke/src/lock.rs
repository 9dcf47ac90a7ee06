//! One server per data folder: a lock that ends with the process, and the process id for `soke stop`.
//!
//! The lock is on `run/soke.pid` itself, so a leftover file of a dead server holds nobody up. What it leaves
//! to others: what lies in the data folder.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

/// Holds the data folder until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

/// Says why the data folder is not ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("another server runs on {} (process {holder})", folder.display())]
    Held { folder: PathBuf, holder: String },
    #[error("open {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl Lock {
    /// Makes the data folder where it is missing, readable for its owner only, and takes it at once or not at all.
    ///
    /// # Errors
    /// Another server holds it, or the folder cannot be written.
    pub(crate) fn take(data: &Path) -> Result<Lock, Error> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::File { path, source }
        };
        let run = data.join("run");
        for folder in [data, run.as_path()] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(at(folder))?;
        }
        let path = pid_path(data);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(at(&path))?;
        if !lock_exclusive(&file) {
            let holder = read_pid(data).map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
            return Err(Error::Held {
                folder: data.to_owned(),
                holder,
            });
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(at(&path))?;
        Ok(Lock { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // An empty file says that the server has ended in order; the lock ends with the file anyway.
        if let Err(fault) = self.file.set_len(0) {
            tracing::debug!(%fault, "the pid file stays as it is");
        }
    }
}

/// Takes the lock. `running` holds it for a moment when it looks, so one refusal is not believed.
fn lock_exclusive(file: &File) -> bool {
    (0..5).any(|tries| {
        if tries > 0 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
    })
}

/// The process id of the server that holds the folder, or nothing where none does.
pub(crate) fn running(data: &Path) -> Option<i32> {
    let file = File::open(pid_path(data)).ok()?;
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => None,
        Err(_held) => read_pid(data),
    }
}

fn pid_path(data: &Path) -> PathBuf {
    data.join("run").join("soke.pid")
}

fn read_pid(data: &Path) -> Option<i32> {
    let mut text = String::new();
    File::open(pid_path(data)).ok()?.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Error, Lock, running};

    #[test]
    fn a_second_holder_is_refused_at_once_and_told_who_holds_it() {
        let data = tempfile::tempdir().expect("a temporary folder");
        let lock = Lock::take(data.path()).expect("the first takes it");
        let own = std::process::id().to_string();
        match Lock::take(data.path()) {
            Err(Error::Held { holder, .. }) => assert_eq!(holder, own),
            other => panic!("{other:?}"),
        }
        assert_eq!(running(data.path()).map(|pid| pid.to_string()), Some(own));
        drop(lock);
        assert_eq!(running(data.path()), None);
        Lock::take(data.path()).expect("free again");
    }
}
