//! What can fail when the greeter opens.
//!
//! What it leaves to others: calls that are refused; those are answers and no errors.

use model::ErrorKind;

/// Says why the greeter does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is none, or the certificate cannot be used.
    #[error("read where the greeter stands and what it shows")]
    Given {
        /// What is wrong.
        source: rpc::Error,
    },
    /// A plain listener would be reached by others.
    #[error(
        "plaintext greeter on `{address}` refused: what is sent there can be read and changed on the way; listen on \
         127.0.0.1, give it --certificate and --key, or say --insecure to accept that"
    )]
    Plaintext {
        /// The address that was asked for.
        address: String,
    },
    /// The address cannot be taken.
    #[error("open the greeter's listener")]
    Open {
        /// Which step failed.
        source: rpc::Error,
    },
    /// The descriptors cannot be served, which does not happen.
    #[error("read the greeter's own descriptors")]
    Descriptors {
        /// What is wrong with them.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Given { source } | Error::Open { source } => source.kind(),
            Error::Plaintext { .. } => ErrorKind::Invalid,
            Error::Descriptors { .. } => ErrorKind::Internal,
        }
    }
}
