//! How long to wait before the next try: growing, bounded and spread.
//!
//! What it leaves to others: the waiting itself, and what may be tried again.

use std::time::Duration;

/// Gives growing waits between a first and a longest one, each spread by up to a fifth.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    tries: u32,
}

impl Backoff {
    /// Starts at `first` and never waits longer than `longest` (before the spread).
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            tries: 0,
        }
    }

    /// The next wait; `spread` from 0.0 to 1.0 places it between 80% and 120% of the step.
    #[must_use]
    pub fn next_wait(&mut self, spread: f64) -> Duration {
        let step = self
            .first
            .saturating_mul(2_u32.saturating_pow(self.tries))
            .min(self.longest);
        self.tries = self.tries.saturating_add(1);
        step.mul_f64(0.8 + 0.4 * spread.clamp(0.0, 1.0))
    }

    /// Begins again at the first wait, after a success.
    pub const fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_again_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        let waits: Vec<_> = (0..4).map(|_| backoff.next_wait(0.5).as_millis()).collect();
        assert_eq!(waits, [100, 200, 350, 350]);
        backoff.reset();
        assert_eq!(backoff.next_wait(0.5).as_millis(), 100);
    }

    #[test]
    fn the_spread_stays_within_a_fifth() {
        let mut low = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let mut high = low.clone();
        assert_eq!(
            (low.next_wait(-3.0).as_millis(), high.next_wait(7.0).as_millis()),
            (80, 120)
        );
    }
}
