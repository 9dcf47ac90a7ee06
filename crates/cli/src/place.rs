//! What a running server tells local clients about itself: the files below `run/` in its data folder.
//!
//! What it leaves to others: the session (`session`) and the connection (`client`).

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::Error;

/// What stands in `run/listeners.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listeners {
    /// The name that the server's certificate carries.
    pub zone_host: String,
    /// Every bound listener.
    pub listeners: Vec<Listener>,
}

/// One bound listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// `native` for the one that this client speaks to.
    pub name: String,
    /// Where it is bound.
    pub address: SocketAddr,
}

impl Listeners {
    /// The file's place in a data folder.
    #[must_use]
    pub fn path(data: &Path) -> PathBuf {
        data.join("run").join("listeners.json")
    }

    /// The place of the CA certificate in a data folder.
    #[must_use]
    pub fn ca_path(data: &Path) -> PathBuf {
        data.join("run").join("ca.pem")
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`Error::NoServer`] where there is no such file, so no server runs there.
    pub fn read(data: &Path) -> Result<Listeners, Error> {
        let path = Listeners::path(data);
        let text = std::fs::read(&path).map_err(|_missing| Error::NoServer {
            data: data.to_owned(),
        })?;
        serde_json::from_slice(&text).map_err(|source| Error::Malformed { path, source })
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, data: &Path) -> Result<(), Error> {
        let path = Listeners::path(data);
        let text = serde_json::to_vec_pretty(self).map_err(|source| Error::Malformed {
            path: path.clone(),
            source,
        })?;
        write_private(&path, &text)
    }

    /// The native listener's address.
    #[must_use]
    pub fn native(&self) -> Option<SocketAddr> {
        let native = self.listeners.iter().find(|listener| listener.name == "native")?;
        Some(native.address)
    }
}

/// Writes a file that only its owner can read, by way of a new file beside it, so that no reader sees half of it.
///
/// # Errors
/// The folder cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let write = || {
        let mut file: File = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}
