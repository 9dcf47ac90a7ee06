//! Why the doors cannot be opened.
//!
//! What it leaves to others: failures of calls (`fault`).

use model::ErrorKind;

/// Says which step failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A listener cannot be opened.
    #[error("open the listener `{name}`")]
    Open {
        /// Its name in the configuration.
        name: &'static str,
        /// Why.
        source: rpc::Error,
    },
}

impl Error {
    /// Which kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Open { source, .. } => source.kind(),
        }
    }
}
