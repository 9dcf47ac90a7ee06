//! Lines to the terminal and the tool's own stop watch: the one place in xtask that prints or reads a clock.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

/// Writes one line to standard output. A reader that went away is no reason to stop.
pub(crate) fn say(line: &str) {
    writeln!(std::io::stdout().lock(), "{line}").ok();
}

/// Writes one line to standard error.
pub(crate) fn complain(line: &str) {
    writeln!(std::io::stderr().lock(), "{line}").ok();
}

/// Measures wall time from its making.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StopWatch(Instant);

impl StopWatch {
    /// Starts to measure.
    #[expect(
        clippy::disallowed_methods,
        reason = "xtask is no part of the zone and has no clock to be handed"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
