//! Files that are whole or not there, also after the power went.
//!
//! What it leaves to others: what is in them.

use std::{
    fs::File,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::Serialize;

/// Writes beside, syncs, renames, syncs the folder.
pub(crate) fn write<T: Serialize>(folder: &Path, name: &str, value: &T) -> io::Result<()> {
    let file = beside(folder, name, value)?;
    file.sync_all()?;
    std::fs::rename(beside_path(folder, name), folder.join(name))?;
    sync_folder(folder)
}

/// Writes beside and renames: whole or not there, but lost with the power.
pub(crate) fn put<T: Serialize>(folder: &Path, name: &str, value: &T) -> io::Result<()> {
    beside(folder, name, value)?;
    std::fs::rename(beside_path(folder, name), folder.join(name))
}

fn beside_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.new"))
}

fn beside<T: Serialize>(folder: &Path, name: &str, value: &T) -> io::Result<File> {
    let bytes = serde_json::to_vec(value).map_err(io::Error::other)?;
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(beside_path(folder, name))?;
    file.write_all(&bytes)?;
    Ok(file)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
