//! How one piece of work is set apart: everything that the hidden process must know to change itself.
//!
//! What it leaves to others: the steps themselves ([`crate::namespaces`], [`crate::enter`]).

use std::{
    collections::BTreeMap,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use nix::unistd::Uid;
use serde::{Deserialize, Serialize};

use crate::{Abilities, Account, Error, Kind, Worker, account, namespaces::Separation, walls::Walls};

/// What the zone decides about work on its machines.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data folder of this machine's agent.
    pub data: PathBuf,
    /// The number that a user's number is added to for a uid of the zone. 200000 unless told otherwise.
    pub first_uid: u32,
}

/// Makes plans: knows the data folder and what the machine offers.
#[derive(Debug, Clone)]
pub struct Confine {
    config: Config,
    abilities: Abilities,
}

/// What one process may use up. All are upper bounds; a lower one of the machine stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Processes and threads of the worker.
    pub processes: u64,
    /// Open files of one process.
    pub open_files: u64,
    /// Bytes of one file that is written.
    pub file_bytes: u64,
    /// Bytes of private memory of one process: the stand-in where no cgroup holds the memory.
    pub data_bytes: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            processes: 4096,
            open_files: 65_536,
            file_bytes: u64::MAX,
            data_bytes: None,
        }
    }
}

/// How one piece of work is set apart. Travels as JSON to the hidden process; holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// As whom.
    pub worker: Worker,
    /// Which namespaces the machine lets us make.
    pub separation: Separation,
    /// Which Landlock walls go up.
    pub(crate) walls: Walls,
    /// Folders that are covered by empty ones where mounts can be separated.
    pub(crate) covered: Vec<PathBuf>,
    /// The most bytes in the private temporary folder.
    pub temporary_bytes: u64,
    /// What a process may use up.
    pub limits: Limits,
}

const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";
const TEMPORARY_BYTES: u64 = 1 << 30;

impl Confine {
    /// Takes the zone's decisions and what [`Abilities::probe`] found.
    #[must_use]
    pub const fn new(config: Config, abilities: Abilities) -> Self {
        Self { config, abilities }
    }

    /// What this machine offers.
    #[must_use]
    pub const fn abilities(&self) -> &Abilities {
        &self.abilities
    }

    /// Plans work of an account, and makes its home where the zone owns it. Looks up Unix accounts and
    /// touches the disk: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`Error::UnixAccount`], [`Error::Home`], [`Error::User`]: the account cannot work here.
    /// [`Error::NoWalls`]: without Landlock only the owner may work. Else a step of the system.
    pub fn plan(&self, account: &Account) -> Result<Plan, Error> {
        let worker = account::worker(
            account,
            &self.config.data,
            self.config.first_uid,
            self.abilities.root,
        )?;
        if worker.kind == Kind::ZoneUid && !self.abilities.mounts {
            account::open_way(&self.config.data)?;
        }
        let walls = match worker.kind {
            Kind::UnixAccount => Walls::None,
            Kind::ZoneUid if self.abilities.landlock >= Walls::SCOPES_SINCE => Walls::Scopes,
            Kind::ZoneUid => Walls::None,
            Kind::OwnUid if self.abilities.landlock >= 1 => Walls::Full,
            Kind::OwnUid if account.owner => Walls::None,
            Kind::OwnUid => {
                return Err(Error::NoWalls {
                    name: account.name.clone(),
                });
            }
        };
        if worker.kind != Kind::OwnUid && !self.abilities.change_user {
            return Err(Error::User {
                name: account.name.clone(),
                why: "the agent is root but may not change its uid here",
            });
        }
        let covered = self.covered(&worker)?;
        Ok(Plan {
            worker,
            separation: self.abilities.separation(),
            walls,
            covered,
            temporary_bytes: TEMPORARY_BYTES,
            limits: Limits::default(),
        })
    }

    /// The data folder, or the first folder above it that the worker cannot pass anyway.
    ///
    /// Covering that one loses the worker nothing and lets its home be shown below, at the same path.
    fn covered(&self, worker: &Worker) -> Result<Vec<PathBuf>, Error> {
        let data = &self.config.data;
        let data = data
            .canonicalize()
            .map_err(Error::path("open data folder", data))?;
        let mut above: Vec<&Path> = data.ancestors().collect();
        above.reverse();
        for folder in above {
            let facts = folder.metadata().map_err(Error::path("look at folder", folder))?;
            let bit = if facts.uid() == worker.uid { 0o100 } else { 0o001 };
            if facts.mode() & bit == 0 {
                if folder == Path::new("/") {
                    return Err(Error::Home {
                        path: worker.home.clone(),
                        why: "the root folder is closed to its uid",
                    });
                }
                if !self.abilities.mounts && worker.home.starts_with(folder) {
                    return Err(Error::Home {
                        path: worker.home.clone(),
                        why: "a folder above it is closed to its uid, and this machine allows no mounts",
                    });
                }
                return Ok(vec![folder.to_owned()]);
            }
        }
        Ok(vec![data.clone()])
    }
}

impl Plan {
    /// The scrubbed environment: home, user, path, shell, temporary folder, and nothing of the agent's.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let pairs = [
            ("HOME", text(&self.worker.home)),
            ("USER", self.worker.name.clone()),
            ("LOGNAME", self.worker.name.clone()),
            ("PATH", PATH.to_owned()),
            ("SHELL", text(&self.worker.shell)),
            ("TMPDIR", text(&self.temporary())),
            ("LANG", "C.UTF-8".to_owned()),
        ];
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// The private temporary folder: `/tmp` where mounts are separated, else `.tmp` in the home.
    #[must_use]
    pub fn temporary(&self) -> PathBuf {
        if self.separation.mounts() || self.walls == Walls::None {
            "/tmp".into()
        } else {
            self.worker.home.join(".tmp")
        }
    }

    /// Folders of which this work sees its own only, whose content vanishes with it; the home may lie below one.
    #[must_use]
    pub fn vanishing(&self) -> &'static [&'static str] {
        if self.separation.mounts() {
            &["/tmp", "/dev/shm"]
        } else {
            &[]
        }
    }

    /// Whether the process changes to another uid than its present one.
    pub(crate) fn changes_user(&self) -> bool {
        Uid::current().as_raw() != self.worker.uid
    }
}

#[cfg(test)]
mod tests;
