//! Where log lines go: standard error, as text or JSON, quiet by default.
//!
//! What it leaves to others: what is logged. Facts meant for the person at the terminal go to standard output.

use tracing_subscriber::{
    EnvFilter, Layer as _, layer::SubscriberExt as _, registry::Registry, util::SubscriberInitExt as _,
};

use crate::config::Log;

/// Starts logging for the whole process. A second call changes nothing.
pub(crate) fn start(log: &Log) {
    // The level was checked with the configuration.
    let filter = EnvFilter::builder().parse_lossy(&log.level);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false);
    let layer = if log.json {
        lines.json().boxed()
    } else {
        lines.boxed()
    };
    // Only the first subscriber of a process counts; the hidden subcommands never get here.
    if Registry::default()
        .with(layer.with_filter(filter))
        .try_init()
        .is_err()
    {
        tracing::debug!("logging was started already");
    }
}
