//! Waiting with a bound, for an answer or for the end of a process.
//!
//! What it leaves to others: what is waited for.

use std::{
    process::{Child, ExitStatus},
    time::Duration,
};

use testbed::eventually_blocking as holds;

/// Waits until there is an answer, and fails with `what` when there is none within the bound.
#[track_caller]
pub(crate) fn eventually<T>(within: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let mut found = None;
    holds(within, || {
        found = look();
        found.is_some()
    });
    found.unwrap_or_else(|| panic!("not within {within:?}: {what}"))
}

/// Waits for the end of a child; nothing when it still runs after the bound.
pub(crate) fn finished(child: &mut Child, within: Duration) -> Option<ExitStatus> {
    let mut status = None;
    holds(within, || {
        status = child.try_wait().expect("the process is our child");
        status.is_some()
    });
    status
}
