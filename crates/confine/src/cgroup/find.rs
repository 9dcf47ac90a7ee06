//! Finds the hierarchies in which the agent may make groups.
//!
//! What it leaves to others: the groups themselves (the module above).

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::Base;

/// A name for the zone's folder in each hierarchy: two zones on one machine do not meet.
///
/// # Errors
/// The data folder cannot be looked at.
pub fn label_of(data: &Path) -> std::io::Result<String> {
    let facts = data.metadata()?;
    Ok(format!("soke-{:x}-{:x}", facts.dev(), facts.ino()))
}

impl Base {
    /// Makes the zone's folders in every hierarchy that lets the agent; nothing where none does.
    #[must_use]
    pub fn prepare(label: &str) -> Option<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        Self::prepare_in(&mounts, &own, label)
    }

    pub(super) fn prepare_in(mounts: &str, own: &str, label: &str) -> Option<Self> {
        let hierarchies: Vec<Hierarchy> = mounts.lines().filter_map(hierarchy).collect();
        let version_1 = |controller: &str, file: &str| {
            let found = hierarchies.iter().find(|one| one.has(controller))?;
            let place = found.place(own_path(own, controller)?);
            folder_below(&place, label).filter(|folder| works(folder, file))
        };
        let mut base = Self {
            memory: version_1("memory", "memory.limit_in_bytes"),
            pids: version_1("pids", "pids.max"),
            freezer: version_1("freezer", "freezer.state"),
            cpuacct: version_1("cpuacct", "cpuacct.usage"),
            unified: None,
            controllers: Vec::new(),
        };
        if let Some(found) = hierarchies.iter().find(|one| one.unified)
            && let Some(path) = own_path(own, "")
        {
            // Root may also use the top, which may have processes of its own and give controllers below.
            let places = [found.place(path), found.mount.clone()];
            let given = |place: &PathBuf| (give_controllers(place, label), place.clone());
            let mut tried = places.iter().map(given);
            let (given, place) = tried
                .find(|(given, _)| !given.is_empty())
                .unwrap_or_else(|| (Vec::new(), found.place(path)));
            if let Some(folder) = folder_below(&place, label) {
                base.controllers = enable(&folder, &given);
                base.unified = works(&folder, "cgroup.procs").then_some(folder);
            }
        }
        let any = base.folders().next().is_some();
        any.then_some(base)
    }
}

/// One mounted hierarchy.
struct Hierarchy {
    /// The group that the mount shows as its root.
    root: PathBuf,
    mount: PathBuf,
    unified: bool,
    controllers: Vec<String>,
}

impl Hierarchy {
    fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|one| one == controller)
    }

    /// The folder of a group, or the mount itself where the group lies outside it (as in containers).
    fn place(&self, path: &str) -> PathBuf {
        let below = Path::new(path).strip_prefix(&self.root).ok();
        let place = below.map(|below| self.mount.join(below));
        place
            .filter(|place| place.is_dir())
            .unwrap_or_else(|| self.mount.clone())
    }
}

/// Reads one line of mountinfo (proc_pid_mountinfo(5)).
fn hierarchy(line: &str) -> Option<Hierarchy> {
    let (head, tail) = line.split_once(" - ")?;
    let head: Vec<&str> = head.split(' ').collect();
    let mut tail = tail.split(' ');
    let unified = match tail.next()? {
        "cgroup" => false,
        "cgroup2" => true,
        _ => return None,
    };
    let options = tail.nth(1)?;
    Some(Hierarchy {
        root: head.get(3)?.into(),
        mount: head.get(4)?.into(),
        unified,
        controllers: options.split(',').map(str::to_owned).collect(),
    })
}

/// The own group in the hierarchy of a controller; the empty name is version 2 (proc_pid_cgroup(5)).
fn own_path<'a>(own: &'a str, controller: &str) -> Option<&'a str> {
    own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        controllers
            .split(',')
            .any(|one| one == controller)
            .then_some(path)
    })
}

fn folder_below(place: &Path, label: &str) -> Option<PathBuf> {
    let folder = place.join(label);
    if !folder.is_dir() {
        std::fs::create_dir(&folder).ok()?;
    }
    Some(folder)
}

/// Tries a group below, as each job will have one.
fn works(folder: &Path, file: &str) -> bool {
    let trial = folder.join(format!("trial-{}", std::process::id()));
    let made = std::fs::create_dir(&trial).is_ok();
    let open = std::fs::File::options()
        .append(true)
        .open(trial.join(file))
        .is_ok();
    let works = made && (open || std::fs::File::open(trial.join(file)).is_ok());
    std::fs::remove_dir(&trial).ok();
    works
}

const WANTED: [&str; 2] = ["memory", "pids"];

/// Gives the controllers of version 2 to the groups below `place`. A group with processes of its own may
/// not, so an agent that is alone in its group first moves itself into a leaf.
fn give_controllers(place: &Path, label: &str) -> Vec<String> {
    let given = enable(place, &WANTED.map(str::to_owned));
    let own = std::process::id().to_string();
    let inside = std::fs::read_to_string(place.join("cgroup.procs")).unwrap_or_default();
    if !given.is_empty() || inside.trim() != own {
        return given;
    }
    let leaf = place.join(format!("{label}-agent"));
    std::fs::create_dir(&leaf).ok();
    if std::fs::write(leaf.join("cgroup.procs"), own).is_err() {
        return Vec::new();
    }
    enable(place, &WANTED.map(str::to_owned))
}

/// Gives those of the wanted controllers that a group has to the groups below it; says which.
fn enable(place: &Path, wanted: &[String]) -> Vec<String> {
    let offered = std::fs::read_to_string(place.join("cgroup.controllers")).unwrap_or_default();
    let file = place.join("cgroup.subtree_control");
    let enable_one = |controller: &&String| {
        offered
            .split_ascii_whitespace()
            .any(|one| one == controller.as_str())
            && std::fs::write(&file, format!("+{controller}")).is_ok()
    };
    wanted.iter().filter(enable_one).cloned().collect()
}
