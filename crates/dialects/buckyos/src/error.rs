//! What can fail when the doors open.
//!
//! What it leaves to others: calls that fail; those are answers (`fault`).

use model::ErrorKind;

/// Says why a door does not open.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listener does not open.
    #[error("open the listener `{name}`; another address is set with `{name}.address`")]
    Open {
        /// The listener's name in the configuration.
        name: &'static str,
        /// Which step failed.
        source: rpc::Error,
    },
}

impl Error {
    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Open { source, .. } => source.kind(),
        }
    }
}
