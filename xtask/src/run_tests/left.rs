//! Processes that tests leave behind: a test that starts one ends it, also when it fails.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long between two looks.
const STEP: Duration = Duration::from_millis(100);

/// The processes that run a program of this build folder.
#[derive(Debug)]
pub(crate) struct Running {
    target: PathBuf,
    before: BTreeSet<u32>,
}

impl Running {
    /// Notes which run already, so that a zone under `make run` is not taken for a test's.
    pub(crate) fn before_tests(root: &Path) -> Self {
        let target = root.join("target");
        let before = processes(&target);
        Self { target, before }
    }

    /// Those that have come since and have not ended by themselves within the grace, each with its command line.
    pub(crate) fn left(&self, grace: Duration) -> Vec<String> {
        let rounds = 1 + grace.as_millis() / STEP.as_millis();
        let mut left = BTreeSet::new();
        for _ in 0..rounds {
            left = processes(&self.target)
                .difference(&self.before)
                .copied()
                .collect();
            if left.is_empty() {
                break;
            }
            std::thread::sleep(STEP);
        }
        left.into_iter()
            .map(|id| format!("{id} {}", command_line(id)))
            .collect()
    }
}

/// The ids of processes whose program lies, or lay, in the folder. Those of others cannot be seen.
fn processes(target: &Path) -> BTreeSet<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| {
        let program = std::fs::read_link(format!("/proc/{id}/exe"));
        program.is_ok_and(|program| program.starts_with(target))
    })
    .collect()
}

fn command_line(id: u32) -> String {
    let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line)
        .replace('\0', " ")
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use std::{process::Command, time::Duration};

    use super::Running;

    #[test]
    fn a_process_that_outlives_its_test_is_named() -> anyhow::Result<()> {
        let root = tempfile::tempdir()?;
        std::fs::create_dir(root.path().join("target"))?;
        let program = root.path().join("target/stays");
        // A process of its own copies: what this one has open for writing may not be run (ETXTBSY).
        anyhow::ensure!(
            Command::new("cp")
                .args(["/bin/sleep".as_ref(), program.as_os_str()])
                .status()?
                .success()
        );
        let running = Running::before_tests(root.path());
        assert_eq!(running.left(Duration::ZERO), [""; 0]);
        let mut child = Command::new(&program).arg("60").spawn()?;
        let left = running.left(Duration::ZERO);
        child.kill()?;
        child.wait()?;
        assert_eq!(left, [format!("{} {} 60", child.id(), program.display())]);
        Ok(())
    }
}
