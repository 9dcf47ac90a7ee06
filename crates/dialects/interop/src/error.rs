//! What can fail when the server opens, and how a test case fails.
//!
//! What it leaves to others: calls that the server refuses; those are answers and no errors.

use model::ErrorKind;
use tonic::Status;

/// Says why the server does not open, or why a case has not passed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address, a certificate or an argument cannot be used.
    #[error("read what the interop tests were given")]
    Given {
        /// What is wrong.
        source: rpc::Error,
    },
    /// A plain listener would be reached by others.
    #[error(
        "plaintext interop server on `{address}` refused: what is sent there can be read and changed on the way; listen \
         on 127.0.0.1, give it --use_tls=true, or say --insecure to accept that"
    )]
    Plaintext {
        /// The address that was asked for.
        address: String,
    },
    /// The address cannot be taken.
    #[error("open the interop server's listener")]
    Open {
        /// Which step failed.
        source: rpc::Error,
    },
    /// The service account's key cannot be used.
    #[error("read the service account's key: {fault}")]
    Account {
        /// What is wrong with it; never any part of it.
        fault: &'static str,
    },
    /// There is no case of this name.
    #[error("test case `{name}` is not known: known are {known}")]
    Case {
        /// The name as given, shortened.
        name: String,
        /// All names.
        known: String,
    },
    /// Something was asked for without what it needs.
    #[error("what was asked for needs {what}")]
    Needs {
        /// The missing flag.
        what: &'static str,
    },
    /// A call ended with a status that the case does not want.
    #[error("{step} ends with a status that it must not have")]
    Call {
        /// Which call.
        step: &'static str,
        /// The status.
        source: Box<Status>,
    },
    /// Something came out otherwise.
    #[error("{what}: {wanted} is right, and {found} came")]
    Differs {
        /// What was looked at.
        what: &'static str,
        /// How it should be.
        wanted: String,
        /// How it is.
        found: String,
    },
    /// No token is to be had.
    #[error("ask the issuer for a token: {fault}")]
    Issuer {
        /// What went wrong.
        fault: String,
    },
    /// A case did not end.
    #[error("not over within {secs} s")]
    Late {
        /// How long it was waited for.
        secs: u64,
    },
}

impl Error {
    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Given { source } | Error::Open { source } => source.kind(),
            Error::Plaintext { .. } | Error::Account { .. } | Error::Case { .. } | Error::Needs { .. } => {
                ErrorKind::Invalid
            }
            Error::Call { source, .. } => wire::kind(source.code()).unwrap_or(ErrorKind::Internal),
            Error::Differs { .. } => ErrorKind::Precondition,
            Error::Issuer { .. } => ErrorKind::Unavailable,
            Error::Late { .. } => ErrorKind::Deadline,
        }
    }
}
