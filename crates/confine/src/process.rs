//! Processes as `/proc` shows them: who is who across restarts, whose child, how much memory.
//!
//! What it leaves to others: ending them ([`crate::ending`]). Source: proc_pid_stat(5).

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::MetadataExt as _,
};

use serde::{Deserialize, Serialize};

/// A process that cannot be mistaken for a later one with the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The process's number.
    pub pid: u32,
    /// When it started, in clock ticks since the machine's start.
    pub started: u64,
    /// Which start of the machine that was.
    pub boot: String,
}

impl Identity {
    /// Identifies a running process.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let started = Stat::of(pid)?.started;
        let boot = boot()?;
        Some(Self { pid, started, boot })
    }

    /// Whether that same process still runs. One that has ended and is not yet waited for does not.
    #[must_use]
    pub fn runs(&self) -> bool {
        let same = |stat: &Stat| stat.started == self.started && !matches!(stat.state, 'Z' | 'X');
        boot().as_ref() == Some(&self.boot) && Stat::of(self.pid).as_ref().is_some_and(same)
    }
}

/// This start of the machine.
fn boot() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// The facts of one process that are used here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// The process's number.
    pub pid: u32,
    /// One letter, as `ps` shows it.
    pub state: char,
    /// The parent's number.
    pub parent: u32,
    /// Clock ticks of its own, in user and kernel mode.
    pub ticks: u64,
    /// Clock ticks of children that it waited for.
    pub children_ticks: u64,
    /// Threads.
    pub threads: u64,
    /// When it started, in clock ticks since the machine's start.
    pub started: u64,
    /// Memory in use, in pages.
    pub resident_pages: u64,
}

impl Stat {
    /// Reads the facts of a process, or nothing when it is gone.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }
}

/// The name may hold blanks and brackets: everything after the last bracket is fields from the third on.
fn parse(text: &str) -> Option<Stat> {
    let (head, rest) = text.rsplit_once(')')?;
    let pid = head.split_once(' ')?.0.parse().ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        pid,
        state: fields.first()?.chars().next()?,
        parent: u32::try_from(number(4)?).ok()?,
        ticks: number(14)?.saturating_add(number(15)?),
        children_ticks: number(16)?.saturating_add(number(17)?),
        threads: number(20)?,
        started: number(22)?,
        resident_pages: number(24)?,
    })
}

/// All processes that `/proc` shows.
#[must_use]
pub fn all() -> Vec<Stat> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| Stat::of(entry.file_name().to_str()?.parse().ok()?))
        .collect()
}

/// All living descendants of a process, itself left out.
#[must_use]
pub fn descendants(root: u32) -> Vec<Stat> {
    let mut children: BTreeMap<u32, Vec<Stat>> = BTreeMap::new();
    for stat in all() {
        children.entry(stat.parent).or_default().push(stat);
    }
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([root]);
    let mut open = vec![root];
    while let Some(parent) = open.pop() {
        for stat in children.remove(&parent).unwrap_or_default() {
            if seen.insert(stat.pid) {
                open.push(stat.pid);
                found.push(stat);
            }
        }
    }
    found.retain(|stat| !matches!(stat.state, 'Z' | 'X'));
    found
}

/// Memory that is a process's own share, in bytes: shared pages count in part (proc_pid_smaps(5), "Pss").
#[must_use]
pub fn own_memory_bytes(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Processes and threads of a uid.
#[must_use]
pub fn count_of(uid: u32) -> u64 {
    let of_uid =
        |stat: &Stat| std::fs::metadata(format!("/proc/{}", stat.pid)).is_ok_and(|facts| facts.uid() == uid);
    all()
        .iter()
        .filter(|stat| of_uid(stat))
        .map(|stat| stat.threads)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::{Identity, descendants, parse};

    #[test]
    fn a_name_with_blanks_and_brackets_does_not_move_the_fields() {
        let text = "42 (a) b) (c) S 7 42 42 0 -1 0 0 0 0 0 11 5 3 2 20 0 4 0 900 1000 33 0 0";
        let stat = parse(text).expect("a stat line");
        assert_eq!((stat.pid, stat.state, stat.parent), (42, 'S', 7));
        assert_eq!((stat.ticks, stat.children_ticks, stat.threads), (16, 5, 4));
        assert_eq!((stat.started, stat.resident_pages), (900, 33));
    }

    #[test]
    fn a_process_is_known_again_and_a_later_one_is_not_taken_for_it() {
        let own = Identity::of(std::process::id()).expect("this process");
        assert!(own.runs());
        let later = Identity {
            started: own.started + 1,
            ..own.clone()
        };
        let other_boot = Identity {
            boot: "another".to_owned(),
            ..own
        };
        assert!(!later.runs() && !other_boot.runs());
    }

    #[test]
    fn a_child_is_a_descendant_until_it_ends() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .expect("sleep starts");
        let found = |pid| descendants(std::process::id()).iter().any(|stat| stat.pid == pid);
        assert!(found(child.id()));
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
        assert!(!found(child.id()));
    }
}
