//! The time by which tokens are judged: the machine's clock, which may be set back, and never earlier than before.
//!
//! What it leaves to others: everything that is only shown.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Instant,
};

use model::{Span, Timestamp};
use tasks::Clock;

/// A time that never goes back: not when the clock does, and not with a restart, since the latest is stored.
pub(crate) struct Judged {
    clock: Clock,
    begun: (Timestamp, Instant),
    latest: AtomicI64,
}

impl Judged {
    pub(crate) fn new(clock: Clock, latest: Timestamp) -> Self {
        let begun = (clock.now().max(latest), clock.monotonic());
        Self {
            begun,
            latest: AtomicI64::new(latest.micros()),
            clock,
        }
    }

    /// The present instant, or the latest that was ever seen, grown by the time that passed since the start.
    pub(crate) fn now(&self) -> Timestamp {
        let (at, then) = self.begun;
        let passed = self.clock.monotonic().saturating_duration_since(then);
        let now = self.clock.now().max(at + Span::from(passed)).micros();
        let before = self.latest.fetch_max(now, Ordering::SeqCst);
        Timestamp::from_micros(before.max(now))
    }
}
