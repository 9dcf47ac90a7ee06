//! From a user of the zone to somebody the kernel knows: uid, groups, home.
//!
//! What it leaves to others: which user asks (crate `access`), and how the process becomes that somebody.

use std::{
    ffi::CString,
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use nix::unistd::{Gid, Uid, User};
use serde::{Deserialize, Serialize};

use crate::Error;

/// A user of the zone, as far as a machine must know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The user's name in the zone.
    pub name: String,
    /// The user's number in the zone, from 1, never given again.
    pub number: u32,
    /// The Unix account that the user works as, where one is set.
    pub unix_name: Option<String>,
    /// Whether the user owns the zone.
    pub owner: bool,
}

/// Which of the three ways a user's work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// As a Unix account of this machine (the agent is root).
    UnixAccount,
    /// As a uid that the zone owns (the agent is root).
    ZoneUid,
    /// As the agent's own uid, behind walls (the agent is not root).
    OwnUid,
}

/// Somebody the kernel knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// Which way the work is done.
    pub kind: Kind,
    /// The name that `USER` and `LOGNAME` say.
    pub name: String,
    /// The uid.
    pub uid: u32,
    /// The first group.
    pub gid: u32,
    /// All groups; empty where they stay as they are.
    pub groups: Vec<u32>,
    /// The home: absolute, without links.
    pub home: PathBuf,
    /// The login shell.
    pub shell: PathBuf,
}

const SHELL: &str = "/bin/sh";

/// Opens the way to the homes below the data folder: it can be passed then, and still not be listed. Needed
/// where a home cannot be shown at its place by a mount.
pub(crate) fn open_way(data: &Path) -> Result<(), Error> {
    for folder in [data.to_owned(), data.join("homes")] {
        let mode = std::fs::Permissions::from_mode(0o711);
        std::fs::set_permissions(&folder, mode).map_err(Error::path("open the way through", &folder))?;
    }
    Ok(())
}

/// Finds the worker of an account and makes its home where the zone owns it.
pub(crate) fn worker(account: &Account, data: &Path, first_uid: u32, root: bool) -> Result<Worker, Error> {
    match (&account.unix_name, root) {
        (Some(unix_name), true) => unix_worker(unix_name),
        (None, true) => zone_worker(account, data, first_uid),
        (_, false) => own_worker(account, data),
    }
}

fn unix_worker(unix_name: &str) -> Result<Worker, Error> {
    let refused = |why| Error::UnixAccount {
        name: unix_name.to_owned(),
        why,
    };
    let user = User::from_name(unix_name)
        .map_err(Error::errno("look up a Unix account"))?
        .ok_or_else(|| refused("this machine does not know it"))?;
    if user.uid.is_root() {
        return Err(refused("work never runs as root"));
    }
    let name = CString::new(unix_name).map_err(|_nul| refused("its name holds a zero byte"))?;
    let groups = nix::unistd::getgrouplist(&name, user.gid).map_err(Error::errno("look up groups"))?;
    let home = user
        .dir
        .canonicalize()
        .map_err(Error::path("open home", &user.dir))?;
    let shell = if user.shell.is_absolute() {
        user.shell
    } else {
        PathBuf::from(SHELL)
    };
    Ok(Worker {
        kind: Kind::UnixAccount,
        name: unix_name.to_owned(),
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        groups: groups.into_iter().map(Gid::as_raw).collect(),
        home,
        shell,
    })
}

fn zone_worker(account: &Account, data: &Path, first_uid: u32) -> Result<Worker, Error> {
    let uid = first_uid
        .checked_add(account.number)
        .filter(|&uid| uid != u32::MAX && uid != 0);
    let uid = uid.ok_or_else(|| Error::User {
        name: account.name.clone(),
        why: "its uid would leave the range",
    })?;
    let home = make_home(account, data, Some(uid))?;
    Ok(Worker {
        kind: Kind::ZoneUid,
        name: account.name.clone(),
        uid,
        gid: uid,
        groups: vec![uid],
        home,
        shell: SHELL.into(),
    })
}

fn own_worker(account: &Account, data: &Path) -> Result<Worker, Error> {
    let home = make_home(account, data, None)?;
    Ok(Worker {
        kind: Kind::OwnUid,
        name: account.name.clone(),
        uid: Uid::current().as_raw(),
        gid: Gid::current().as_raw(),
        groups: Vec::new(),
        home,
        shell: SHELL.into(),
    })
}

/// Makes `DATA/homes/<name>` with mode 0700, owned by `uid` where one is given.
///
/// The folder above belongs to the agent, so nobody else can swap what is made here.
fn make_home(account: &Account, data: &Path, uid: Option<u32>) -> Result<PathBuf, Error> {
    let name = &account.name;
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
        return Err(Error::User {
            name: name.clone(),
            why: "its name is no name of a folder",
        });
    }
    let data = data
        .canonicalize()
        .map_err(Error::path("open data folder", data))?;
    let homes = data.join("homes");
    make_folder(&homes)?;
    let home = homes.join(name);
    let made = make_folder(&home)?;
    let facts = home
        .symlink_metadata()
        .map_err(Error::path("look at home", &home))?;
    if !facts.is_dir() {
        return Err(Error::Home {
            path: home,
            why: "it is not a folder",
        });
    }
    let wanted = uid.unwrap_or_else(|| Uid::current().as_raw());
    if facts.uid() != wanted {
        // A home left half made by a crash still belongs to root; any other owner is a mistake to look at.
        if !made && facts.uid() != 0 {
            return Err(Error::Home {
                path: home,
                why: "it belongs to another uid",
            });
        }
        std::os::unix::fs::lchown(&home, Some(wanted), Some(wanted))
            .map_err(Error::path("give away home", &home))?;
    }
    Ok(home)
}

fn make_folder(path: &Path) -> Result<bool, Error> {
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {
            // The umask may have taken bits that the agent needs.
            let mode = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(path, mode).map_err(Error::path("close folder", path))?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Error::path("make folder", path)(error)),
    }
}

#[cfg(test)]
mod tests;
