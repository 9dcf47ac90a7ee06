//! Why the doors cannot be opened.
//!
//! What it leaves to others: failures of calls (`answer`).

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
    /// What is told about the services' messages cannot be put together.
    #[error("describe the services")]
    Describe(#[from] tonic_reflection::server::Error),
    /// The description of all services that this program was built with cannot be read.
    #[error("read the services' description")]
    Descriptors(#[from] prost::DecodeError),
}

impl Error {
    /// Which kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Open { source, .. } => source.kind(),
            Error::Describe(_) | Error::Descriptors(_) => ErrorKind::Internal,
        }
    }
}
