//! What tests of every crate need and no program uses: waiting for a condition, a free port, a copy of a program, a
//! wallet, and a PostgreSQL server.
//!
//! It leans on no crate of the house, so that every crate can have it as a dev-dependency. What it leaves to
//! others: parts of one room's tests (that crate's `tests/it`) and whole zones (`tests/zone`).

mod postgres;
mod wallet;

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
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

/// A port of loopback that nobody has, for a program that has to be told one; each call gives another one.
///
/// It lies below those that the kernel gives to outgoing connections (ip(7), from 32768), so that no other test's connection
/// takes it before the program does.
///
/// # Panics
/// No port is free.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(977);
    let port = |_try| {
        let place = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        u16::try_from(10_000 + place).expect("below 30,000")
    };
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (0..20_000).map(port).find(is_free).expect("a free port")
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
