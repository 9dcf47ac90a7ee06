//! The one place that reads the machine's clocks.
//!
//! What it leaves to others: what an instant means. Tests hold a clock that moves only when told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use model::{Span, Timestamp};

/// Tells the time: the machine's own, or a hand-moved one in tests.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `now` until [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual(now: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(now.micros()))))
    }

    /// The present instant in UTC. It may jump when the machine's clock is set.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the clock that everybody else takes"
            )]
            Source::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Source::Manual(micros) => Timestamp::from_micros(micros.load(Ordering::SeqCst)),
        }
    }

    /// An instant for measuring lengths; never jumps. A manual clock gives the machine's own here.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everybody else takes"
    )]
    pub fn monotonic(&self) -> Instant {
        Instant::now()
    }

    /// Moves a manual clock; the machine's own stays as it is.
    pub fn advance(&self, span: Span) {
        if let Source::Manual(micros) = &self.0 {
            micros.fetch_add(span.micros(), Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Span, Timestamp};

    use super::Clock;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(Timestamp::from_secs(100));
        let other = clock.clone();
        clock.advance(Span::from_secs(5));
        assert_eq!(other.now(), Timestamp::from_secs(105));
    }

    #[test]
    fn the_system_clock_stands_after_the_year_2026() {
        assert!(Clock::system().now() > Timestamp::from_secs(1_767_225_600));
    }
}
