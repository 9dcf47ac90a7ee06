//! What tests of every crate need and no program uses: waiting for a condition, a copy of a program, a wallet, and a
//! PostgreSQL server.
//!
//! It leans on no crate of the house, so that every crate can have it as a dev-dependency. What it leaves to
//! others: parts of one room's tests (that crate's `tests/it`) and whole zones (`tests/zone`).

mod postgres;
mod wallet;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

pub use postgres::Postgres;
pub use wallet::Wallet;

/// How long between two looks.
const STEP: Duration = Duration::from_millis(5);

/// Waits until a condition holds, at most this long; says whether it does.
///
/// It asks for a level and not for an edge: what was true before the call is found at once.
pub async fn eventually(within: Duration, mut holds: impl AsyncFnMut() -> bool) -> bool {
    let waited = tokio::time::timeout(within, async {
        while !holds().await {
            // may sleep: this is the one place that waits between two looks
            tokio::time::sleep(STEP).await;
        }
    });
    waited.await.is_ok()
}

/// Does what [`eventually`] does, on a thread of its own: for tests without a runtime.
#[expect(
    clippy::disallowed_methods,
    reason = "a test waits in real time and has no clock to be handed"
)]
pub fn eventually_blocking(within: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + within;
    while !holds() {
        if Instant::now() > end {
            return false;
        }
        // may sleep: this is the one place that waits between two looks
        std::thread::sleep(STEP);
    }
    true
}

/// Copies a program to where it can be run at once, also by another uid.
///
/// A process of its own does it: what this one has open for writing could be held open by a child that another
/// test starts meanwhile, and the kernel runs no program that is open for writing (`ETXTBSY`).
///
/// # Panics
/// The program cannot be copied.
pub fn copy_program(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("--").args([from, to]).status();
    let copied = copied.is_ok_and(|status| status.success());
    assert!(copied, "{} is not copied to {}", from.display(), to.display());
}

/// The program that runs this test, also when cargo has put another in its place since.
#[must_use]
pub fn this_program() -> PathBuf {
    PathBuf::from(format!("/proc/{}/exe", std::process::id()))
}
