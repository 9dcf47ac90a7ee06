//! The saved session: two tokens and where they are good, in a file that only its owner can read.
//!
//! Two clients that renew at once would look like a stolen token, so a lock beside the file lets one of them
//! renew while the other waits and reads again. What it leaves to others: the calls themselves (`client`).

use std::{
    fmt,
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{Error, place::write_private};

/// How long one client waits for another that renews.
const LOCK_WAIT: Duration = Duration::from_secs(15);
const LOCK_STEP: Duration = Duration::from_millis(20);

/// What is saved. Only a session on another machine carries `server`.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) user_name: String,
    pub(crate) access_token: String,
    /// Microseconds since the Unix epoch.
    pub(crate) access_expires_at: i64,
    pub(crate) refresh_token: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) server: Option<Server>,
}

/// A zone on another machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Server {
    /// Host and port.
    pub(crate) address: String,
    /// SHA-256 of the zone's CA certificate.
    pub(crate) ca_fingerprint: String,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("user_name", &self.user_name)
            .finish_non_exhaustive()
    }
}

/// Where a session lies.
#[derive(Debug, Clone)]
pub(crate) struct SessionFile {
    path: PathBuf,
}

impl SessionFile {
    /// The session of the data folder's owner.
    pub(crate) fn in_data_folder(data: &Path) -> Self {
        Self {
            path: data.join("client").join("session.json"),
        }
    }

    /// The session of somebody else, kept beside the owner's.
    pub(crate) fn of_person(data: &Path, name: &str) -> Self {
        Self {
            path: data.join("client").join(format!("session-{name}.json")),
        }
    }

    /// The session on another machine, below the user's own settings.
    pub(crate) fn in_settings(settings: &Path) -> Self {
        Self {
            path: settings.join("soke").join("session.json"),
        }
    }

    /// Reads the session, or nothing where nobody has signed in.
    pub(crate) fn read(&self) -> Result<Option<Session>, Error> {
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.fault(source)),
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|source| Error::Malformed {
                path: self.path.clone(),
                source,
            })
    }

    /// Writes the session, whole or not at all.
    pub(crate) fn write(&self, session: &Session) -> Result<(), Error> {
        self.make_folder()?;
        let text = serde_json::to_vec(session).map_err(|source| Error::Malformed {
            path: self.path.clone(),
            source,
        })?;
        write_private(&self.path, &text)
    }

    /// Forgets the session.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        match std::fs::remove_file(&self.path) {
            Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => Err(self.fault(fault)),
            _gone => Ok(()),
        }
    }

    /// Takes the lock under which a session is renewed; it ends when dropped.
    pub(crate) async fn lock(&self) -> Result<File, Error> {
        self.make_folder()?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.path.with_extension("lock"))
            .map_err(|source| self.fault(source))?;
        let wait = async {
            loop {
                match file.try_lock() {
                    Ok(()) => return Ok(()),
                    Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_STEP).await,
                    Err(TryLockError::Error(source)) => return Err(self.fault(source)),
                }
            }
        };
        tokio::time::timeout(LOCK_WAIT, wait)
            .await
            .map_err(|_elapsed| self.fault(std::io::ErrorKind::TimedOut.into()))??;
        Ok(file)
    }

    fn make_folder(&self) -> Result<(), Error> {
        let Some(folder) = self.path.parent() else {
            return Ok(());
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| self.fault(source))
    }

    fn fault(&self, source: std::io::Error) -> Error {
        Error::File {
            path: self.path.clone(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::{Session, SessionFile};

    fn session() -> Session {
        Session {
            user_name: "ada".to_owned(),
            access_token: "canary-access".to_owned(),
            access_expires_at: 1,
            refresh_token: "canary-refresh".to_owned(),
            server: None,
        }
    }

    #[test]
    fn a_saved_session_is_readable_for_its_owner_only_and_never_printed() {
        let data = tempfile::tempdir().expect("a temporary folder");
        let file = SessionFile::in_data_folder(data.path());
        assert!(file.read().expect("nothing yet").is_none());
        file.write(&session()).expect("it is written");
        let mode = std::fs::metadata(&file.path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let read = file.read().expect("it is read").expect("a session");
        assert_eq!(read.refresh_token, "canary-refresh");
        assert!(!format!("{read:?}").contains("canary"));
        file.remove().expect("it is removed");
        file.remove().expect("twice is once");
    }

    #[tokio::test]
    async fn one_client_waits_while_another_renews() {
        let data = tempfile::tempdir().expect("a temporary folder");
        let file = SessionFile::in_data_folder(data.path());
        let held = file.lock().await.expect("free");
        let second = file.lock();
        tokio::pin!(second);
        let soon = std::time::Duration::from_millis(60);
        assert!(tokio::time::timeout(soon, &mut second).await.is_err());
        drop(held);
        second.await.expect("free again");
    }
}
