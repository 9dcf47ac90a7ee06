//! Tests on plain folders that stand in for hierarchies, and on the machine's own where it lets us.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use super::{Base, Bounds, label_of};

const BOUNDS: Bounds = Bounds {
    memory_bytes: 64 << 20,
    processes: 50,
};

fn mountinfo(root: &Path, lines: &[(&str, &str, &str)]) -> String {
    let line = |(folder, kind, options): &(&str, &str, &str)| {
        let mount = root.join(folder);
        std::fs::create_dir_all(&mount).expect("a folder");
        format!(
            "30 20 0:26 / {} rw,nosuid shared:9 - {kind} cgroup rw,{options}\n",
            mount.display()
        )
    };
    lines.iter().map(line).collect()
}

#[test]
fn a_machine_without_hierarchies_has_no_base() {
    assert_eq!(
        Base::prepare_in("1 1 0:1 / / rw - ext4 /dev/vda rw\n", "0::/\n", "soke"),
        None
    );
}

#[test]
fn a_hierarchy_whose_groups_do_not_work_is_left_out() {
    let root = tempfile::tempdir().expect("a folder");
    // Plain folders have no control files: nothing there can be used.
    let mounts = mountinfo(
        root.path(),
        &[
            ("memory", "cgroup", "memory"),
            ("unified", "cgroup2", "nsdelegate"),
        ],
    );
    assert_eq!(Base::prepare_in(&mounts, "4:memory:/\n0::/\n", "soke"), None);
}

#[test]
fn version_2_bounds_are_written_under_their_own_names() {
    let root = tempfile::tempdir().expect("a folder");
    let base = Base {
        unified: Some(root.path().to_owned()),
        controllers: vec!["memory".to_owned(), "pids".to_owned()],
        ..Base::default()
    };
    assert!(base.holds_memory() && base.holds_processes());
    let group = base.group("job");
    group.make(BOUNDS).expect("plain files can be written");
    let read = |file: &str| std::fs::read_to_string(root.path().join("job").join(file)).expect("a file");
    assert_eq!(
        (read("memory.max"), read("pids.max")),
        ("67108864".to_owned(), "50".to_owned())
    );
    std::fs::write(
        root.path().join("job/cpu.stat"),
        "usage_usec 1500\nuser_usec 900\n",
    )
    .expect("a file");
    std::fs::write(root.path().join("job/memory.peak"), "4096\n").expect("a file");
    std::fs::write(
        root.path().join("job/memory.events"),
        "oom 2\noom_kill 1\noom_group_kill 0\n",
    )
    .expect("a file");
    let usage = group.usage();
    assert_eq!(
        (usage.cpu_micros, usage.peak_memory_bytes, usage.memory_kills),
        (Some(1500), Some(4096), 1)
    );
}

/// The same hierarchies in part: as on machines that have only one version, or only some controllers.
fn parts_of(base: &Base) -> Vec<Base> {
    let version_1 = Base {
        unified: None,
        ..base.clone()
    };
    let version_2 = Base {
        unified: base.unified.clone(),
        controllers: base.controllers.clone(),
        ..Base::default()
    };
    let without_freezer = Base {
        freezer: None,
        ..version_1.clone()
    };
    let all = [base.clone(), version_1, version_2, without_freezer];
    all.into_iter()
        .filter(|part| part.folders().next().is_some())
        .collect()
}

#[test]
fn a_real_group_of_either_version_counts_and_ends_its_processes() {
    let data = tempfile::tempdir().expect("a folder");
    let label = label_of(data.path()).expect("a label");
    let Some(base) = Base::prepare(&label) else {
        return;
    };
    for part in parts_of(&base) {
        let group = part.group("job");
        group.make(BOUNDS).expect("a group");
        let mut child = Command::new("/bin/sh")
            .args([
                "-c",
                "read go; for i in 1 2 3; do (trap '' TERM; sleep 60) & done; wait",
            ])
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell");
        group.add(child.id()).expect("it can be moved");
        drop(child.stdin.take());
        #[expect(clippy::disallowed_methods, reason = "a test waits by the machine's clock")]
        let left = group.kill(Duration::from_secs(5), std::time::Instant::now);
        assert_eq!(left, 0, "{part:?}");
        assert!(!child.wait().expect("it ended").success());
        if part.cpuacct.is_some() || part.unified.is_some() {
            assert!(
                group.usage().cpu_micros.expect("CPU time is counted") > 0,
                "{part:?}"
            );
        }
        assert!(group.remove(), "{part:?}");
    }
    assert!(base.remove());
}
