//! Control groups, version 1, 2 or both side by side: bounds, sums and a sure end for all processes of a
//! piece of work.
//!
//! [`Base::prepare`] looks for hierarchies in which the agent may make groups and takes each that answers;
//! what is missing is simply not there, and [`Base`] says so. What it leaves to others: what stands in for
//! it (limits of processes, sampling, namespaces). Source: the kernel's cgroup-v1 and cgroup-v2 documents.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::{Error, ending};

mod find;

pub use find::label_of;

/// Folders of this zone in the hierarchies of the machine, one folder for each hierarchy in use.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Base {
    /// Version 1: memory bounds and peak.
    memory: Option<PathBuf>,
    /// Version 1: number of processes.
    pids: Option<PathBuf>,
    /// Version 1: stops all processes at once.
    freezer: Option<PathBuf>,
    /// Version 1: CPU time.
    cpuacct: Option<PathBuf>,
    /// Version 2: CPU time and the end of all; bounds where `controllers` names them.
    unified: Option<PathBuf>,
    /// Which controllers version 2 gives.
    controllers: Vec<String>,
}

/// The bounds of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of memory of all its processes, swap included where the machine counts it.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub processes: u64,
}

/// What a group has used so far; a part that the machine does not count is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Microseconds of CPU time of all processes that were ever in it.
    pub cpu_micros: Option<u64>,
    /// The most bytes of memory at one moment.
    pub peak_memory_bytes: Option<u64>,
    /// Processes that the kernel ended for want of memory.
    pub memory_kills: u64,
}

/// One group: a folder in each hierarchy of its [`Base`].
#[derive(Debug, Clone)]
pub struct Group {
    base: Base,
    name: String,
}

impl Base {
    /// Whether memory is bounded and measured.
    #[must_use]
    pub fn holds_memory(&self) -> bool {
        self.memory.is_some() || self.gives("memory")
    }

    /// Whether the number of processes is bounded.
    #[must_use]
    pub fn holds_processes(&self) -> bool {
        self.pids.is_some() || self.gives("pids")
    }

    /// Names one group, made or not yet made. The name is one word without a slash.
    #[must_use]
    pub fn group(&self, name: &str) -> Group {
        Group {
            base: self.clone(),
            name: name.replace('/', "_"),
        }
    }

    /// Removes the zone's folders; gives whether all are gone. Its groups must be gone before.
    #[must_use]
    pub fn remove(&self) -> bool {
        self.folders()
            .map(|folder| gone(folder))
            .filter(|gone| !gone)
            .count()
            == 0
    }

    fn gives(&self, controller: &str) -> bool {
        self.unified.is_some() && self.controllers.iter().any(|given| given == controller)
    }

    fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        [
            &self.memory,
            &self.pids,
            &self.freezer,
            &self.cpuacct,
            &self.unified,
        ]
        .into_iter()
        .flatten()
    }
}

impl Group {
    /// Makes the group and sets its bounds. Making it again sets the bounds again.
    ///
    /// # Errors
    /// The system refuses a folder or a bound.
    pub fn make(&self, bounds: Bounds) -> Result<(), Error> {
        for folder in self.folders() {
            // The zone's own folder too, should somebody have cleared it away while it was empty.
            std::fs::create_dir_all(&folder).map_err(Error::path("make control group", &folder))?;
        }
        if let Some(memory) = self.inside(&self.base.memory) {
            set(&memory, "memory.limit_in_bytes", bounds.memory_bytes)?;
            // Missing where the kernel does not count swap.
            set(&memory, "memory.memsw.limit_in_bytes", bounds.memory_bytes).ok();
        }
        if let Some(pids) = self.inside(&self.base.pids) {
            set(&pids, "pids.max", bounds.processes)?;
        }
        if let Some(unified) = self.inside(&self.base.unified) {
            if self.base.gives("memory") {
                set(&unified, "memory.max", bounds.memory_bytes)?;
                set(&unified, "memory.swap.max", 0).ok();
                set(&unified, "memory.oom.group", 1).ok();
            }
            if self.base.gives("pids") {
                set(&unified, "pids.max", bounds.processes)?;
            }
        }
        Ok(())
    }

    /// Moves a process into the group; all that it starts later is born there.
    ///
    /// # Errors
    /// The system refuses, or the process is gone.
    pub fn add(&self, pid: u32) -> Result<(), Error> {
        self.folders()
            .try_for_each(|folder| set(&folder, "cgroup.procs", u64::from(pid)))
    }

    /// What the group has used so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let mut usage = Usage {
            memory_kills: self.memory_kills(),
            ..Usage::default()
        };
        if let Some(unified) = self.inside(&self.base.unified) {
            usage.cpu_micros = keyed(&unified, "cpu.stat", "usage_usec");
            if self.base.gives("memory") {
                usage.peak_memory_bytes = number(&unified, "memory.peak");
            }
        }
        if let Some(cpuacct) = self.inside(&self.base.cpuacct) {
            let nanos = number(&cpuacct, "cpuacct.usage");
            usage.cpu_micros = nanos.map(|nanos| nanos / 1000).or(usage.cpu_micros);
        }
        if let Some(memory) = self.inside(&self.base.memory) {
            usage.peak_memory_bytes = number(&memory, "memory.max_usage_in_bytes");
        }
        usage
    }

    /// Processes that the kernel ended for want of memory, so far; the part of [`Group::usage`] that is
    /// asked for again and again.
    #[must_use]
    pub fn memory_kills(&self) -> u64 {
        let own = |folder: &Option<PathBuf>, file| keyed(&self.inside(folder)?, file, "oom_kill");
        let unified = self
            .base
            .gives("memory")
            .then(|| own(&self.base.unified, "memory.events"));
        let kills = own(&self.base.memory, "memory.oom_control").or(unified.flatten());
        kills.unwrap_or(0)
    }

    /// Kills every process of the group; gives how many are left when `within` has passed (`now` reads a
    /// monotonic clock). Waiting for those that are children of the caller is left to it.
    pub fn kill(&self, within: Duration, now: impl Fn() -> Instant) -> usize {
        let end = now() + within;
        let freezer = self.inside(&self.base.freezer);
        loop {
            let left = self.processes();
            if left.is_empty() {
                return 0;
            }
            let at_once = self
                .inside(&self.base.unified)
                .is_some_and(|unified| set(&unified, "cgroup.kill", 1).is_ok());
            if !at_once {
                // Frozen processes cannot fork; they die when they thaw.
                if let Some(freezer) = &freezer {
                    std::fs::write(freezer.join("freezer.state"), "FROZEN").ok();
                }
                ending::signal_all(self.processes(), Signal::SIGKILL);
                if let Some(freezer) = &freezer {
                    std::fs::write(freezer.join("freezer.state"), "THAWED").ok();
                }
            }
            if now() >= end {
                return self.processes().len();
            }
            ending::pause();
        }
    }

    /// Removes the group's folders; gives whether all are gone. Its processes must have ended.
    #[must_use]
    pub fn remove(&self) -> bool {
        self.folders()
            .map(|folder| gone(&folder))
            .filter(|gone| !gone)
            .count()
            == 0
    }

    fn processes(&self) -> Vec<u32> {
        let mut all: Vec<u32> = self
            .folders()
            .filter_map(|folder| std::fs::read_to_string(folder.join("cgroup.procs")).ok())
            .flat_map(|text| {
                text.lines()
                    .filter_map(|line| line.parse().ok())
                    .collect::<Vec<u32>>()
            })
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn folders(&self) -> impl Iterator<Item = PathBuf> {
        self.base.folders().map(|folder| folder.join(&self.name))
    }

    fn inside(&self, folder: &Option<PathBuf>) -> Option<PathBuf> {
        folder.as_ref().map(|folder| folder.join(&self.name))
    }
}

/// Removes a group's folder; one that is not there is gone as well.
fn gone(folder: &Path) -> bool {
    match std::fs::remove_dir(folder) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn set(folder: &Path, file: &str, value: u64) -> Result<(), Error> {
    let path = folder.join(file);
    std::fs::write(&path, value.to_string()).map_err(Error::path("write", &path))
}

fn number(folder: &Path, file: &str) -> Option<u64> {
    std::fs::read_to_string(folder.join(file))
        .ok()?
        .trim()
        .parse()
        .ok()
}

fn keyed(folder: &Path, file: &str, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(folder.join(file)).ok()?;
    let value = |line: &str| line.strip_prefix(key)?.trim().parse().ok();
    text.lines().find_map(value)
}

#[cfg(test)]
mod tests;
