//! What can go wrong with services, and of which kind it is.
//!
//! What it leaves to others: codes of protocols (`wire`), logging (where the error is handled).

use model::ErrorKind;

use crate::{Fault, State, manifest::listed};

/// A failure of this slice.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The manifest is wrong; every fault is listed.
    #[error("read the manifest: {}", listed(.0))]
    Manifest(Vec<Fault>),
    /// A field of a request is wrong.
    #[error("{field} {what}: {want}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong.
        what: String,
        /// What would be right.
        want: String,
    },
    /// There is no such service, or the actor may not know of it.
    #[error("find {what}")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// The service has no endpoint now.
    #[error("reach service `{name}`: it is {}{}", .state.word(), said(.reason))]
    NotReady {
        /// Its name.
        name: String,
        /// Where it stands.
        state: State,
        /// Why, in words; may be empty.
        reason: String,
    },
    /// The service did not get ready within the time that was given.
    #[error("wait for service `{name}`: it is still {}{}", .state.word(), said(.reason))]
    NotInTime {
        /// Its name.
        name: String,
        /// Where it stands.
        state: State,
        /// Why, in words; may be empty.
        reason: String,
    },
    /// Another service has that port.
    #[error(
        "deploy service: port {port} is taken by another service; leave `port` out and use the variable PORT"
    )]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The user has too many services.
    #[error("deploy service: {most} services of this user run, and no user may have more")]
    TooMany {
        /// The bound.
        most: u32,
    },
    /// The address of a manifest may not be asked.
    #[error("fetch the manifest: {why}")]
    Source {
        /// Why, in words without the address's secrets.
        why: String,
    },
    /// The address of a manifest gave none.
    #[error("fetch the manifest: {why}")]
    Fetch {
        /// Of which kind the failure is.
        kind: ErrorKind,
        /// Why, in words.
        why: String,
    },
    /// A row does not hold what was written into it.
    #[error("read service: {what} is not readable")]
    Row {
        /// Which part.
        what: &'static str,
    },
    /// A step on a node failed.
    #[error("{step}")]
    Node {
        /// The step, in words.
        step: &'static str,
        /// Of which kind the failure is.
        kind: ErrorKind,
        /// What the node or the way to it says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stage failed.
    #[error("look after the service's stage")]
    Stage(#[from] stage::Error),
    /// The right is missing or the session is over.
    #[error("use the permit")]
    Access(#[from] access::Error),
    /// The store failed.
    #[error("use the store")]
    Store(#[from] store::Error),
}

/// A reason as the end of a sentence.
fn said(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(", {reason}")
    }
}

impl Error {
    /// The kind of this failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Manifest(_) | Error::Field { .. } | Error::Source { .. } => ErrorKind::Invalid,
            Error::NotFound { .. } => ErrorKind::NotFound,
            Error::NotReady { .. } => ErrorKind::Precondition,
            Error::NotInTime { .. } => ErrorKind::Deadline,
            Error::PortTaken { .. } => ErrorKind::Exists,
            Error::TooMany { .. } => ErrorKind::Exhausted,
            Error::Row { .. } => ErrorKind::Internal,
            Error::Fetch { kind, .. } | Error::Node { kind, .. } => *kind,
            Error::Stage(error) => error.kind(),
            Error::Access(error) => error.kind(),
            Error::Store(error) => error.kind(),
        }
    }
}
