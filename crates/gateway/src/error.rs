//! What can fail when the front door opens.
//!
//! What it leaves to others: requests that are refused; those are answers and no errors.

use model::ErrorKind;

/// Says why the front door does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An allowed host is no host name.
    #[error(
        "allowed host `{text}` is no host name and no IP address: write it without scheme, port and path, such \
         as soke.localhost"
    )]
    Host {
        /// The text as given.
        text: String,
    },
    /// The listener does not open.
    #[error("open the native listener")]
    Open {
        /// Which step failed.
        source: rpc::Error,
    },
    /// A dialect's HTTP listener does not open.
    #[error("open the listener {name}")]
    OpenDoor {
        /// The listener's name, as in the configuration.
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
            Error::Host { .. } => ErrorKind::Invalid,
            Error::Open { source } | Error::OpenDoor { source, .. } => source.kind(),
        }
    }
}
