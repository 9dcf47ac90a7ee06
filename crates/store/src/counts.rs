//! How much the store has committed.
//!
//! What it leaves to others: showing it.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a store has committed since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Durable commits.
    pub commits: u64,
    /// Closures whose writes these commits hold; on SQLite several may share one.
    pub closures: u64,
}

/// The counters behind [`Counts`], raised by the threads that commit.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    commits: AtomicU64,
    closures: AtomicU64,
}

impl Counters {
    /// Counts one commit of so many closures.
    pub(crate) fn committed(&self, closures: usize) {
        let closures = u64::try_from(closures).unwrap_or(u64::MAX);
        // Whoever sees the count sees the commit.
        self.commits.fetch_add(1, Ordering::Release);
        self.closures.fetch_add(closures, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Counts {
        Counts {
            commits: self.commits.load(Ordering::Acquire),
            closures: self.closures.load(Ordering::Relaxed),
        }
    }
}
