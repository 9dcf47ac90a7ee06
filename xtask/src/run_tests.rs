//! `cargo xtask test`: runs every test of the workspace with one cargo call and ends with one line of counts.
//!
//! What the tests need from the system is installed while the compiler works, as that waits for the network.
//!
//! Stable libtest tells no times, but enough to know them: it starts the tests of a binary in the order of their
//! names, a next one whenever one ends, and prints a line when a test ends. So the moment a test starts is the
//! moment at which the one ended whose place it takes, and the slowest tests follow from the stream; see [`watch`].

mod left;
mod watch;

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    check,
    console::{StopWatch, say},
    wrapper,
};
use left::Running;
use watch::Watch;

/// What to run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// The counts that the project promises instead of those of everyday runs; told by `SOKE_TEST_FULL=1`.
    pub(crate) full: bool,
    /// Whether `cargo xtask check` runs first and counts as one test.
    pub(crate) check: bool,
}

/// How many of the slowest tests are named at the end.
const SLOWEST: usize = 10;

/// How long processes of tests may take to end when all tests are over.
const GRACE: Duration = Duration::from_secs(5);

/// Runs all tests; says whether all passed. The last line is `N passed, N failed`.
pub(crate) fn run(root: &Path, options: Options) -> Result<bool> {
    let mut tools = Command::new(root.join("tests/tools/install"))
        .spawn()
        .context("run tests/tools/install")?;
    let checked = options.check.then(|| check(root)).transpose();
    // Waited for in any case: it must not go on behind a command that has ended.
    let installed = tools.wait().context("wait for tests/tools/install")?;
    let checked = checked?;
    ensure!(
        installed.success(),
        "tests/tools/install failed, as it says above"
    );
    let running = Running::before_tests(root);
    let threads = threads();
    // What a shell starts in the background ignores Ctrl-C, and so would every program that a test stops with it.
    let mut command = Command::new("env");
    command
        .args(["--default-signal=INT", "cargo"])
        .args([
            "test",
            "--workspace",
            "--profile",
            "quick",
            "--locked",
            "--no-fail-fast",
        ])
        .args(["--", &format!("--test-threads={threads}")])
        .current_dir(root)
        .stdout(Stdio::piped());
    wrapper::wrap_build(root, &mut command)?;
    if options.full {
        command.env("SOKE_TEST_FULL", "1");
    }
    let mut child = command.spawn().context("run cargo test")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let clock = StopWatch::start();
    let mut watch = Watch::new(threads);
    for line in BufReader::new(output).lines() {
        let line = line.context("read the output of cargo test")?;
        watch.hear(&line, clock.elapsed());
        say(&line);
    }
    let ended = child.wait().context("wait for cargo test")?;
    let sum = watch.finish();
    say("");
    say("slowest tests:");
    for (seconds, name) in sum.slowest(SLOWEST) {
        say(&format!("  {seconds:6.1} s  {name}"));
    }
    let left = running.left(GRACE);
    for process in &left {
        say(&format!("left running by a test: {process}"));
    }
    // A build that fails, or a test binary that is killed, counts as one failure even though no test says so.
    let failed = if ended.success() {
        sum.failed
    } else {
        sum.failed.max(1)
    };
    let failed = failed + u64::from(checked == Some(false)) + u64::from(!left.is_empty());
    let passed = sum.passed + u64::from(checked == Some(true));
    let skipped = if sum.skipped > 0 {
        format!(", {} skipped", sum.skipped)
    } else {
        String::new()
    };
    say(&format!("{passed} passed, {failed} failed{skipped}"));
    Ok(failed == 0)
}

/// Holds the tree to its rules; a breach is printed and lets the tests run all the same.
fn check(root: &Path) -> Result<bool> {
    check::run(&check::Options {
        root: root.to_owned(),
        depth: Some(check::Depth::Build),
    })
}

/// Tests wait for processes and sockets more than they compute, so twice as many run as there are cores.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(4, |cores| cores.get() * 2)
}
