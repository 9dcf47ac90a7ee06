//! What can go wrong with jobs, and of which kind it is.
//!
//! What it leaves to others: codes of protocols (`wire`), logging (where the error is handled).

use std::io;

use model::ErrorKind;

/// A failure of this slice.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The draft of a job is wrong; every fault is listed.
    #[error("submit job: {}", crate::draft::listed(.0))]
    Draft(Vec<crate::draft::Fault>),
    /// A field of a request is wrong.
    #[error("{field} {what}: {want}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong.
        what: String,
        /// What would be right.
        want: &'static str,
    },
    /// There is no such job, or the actor may not know of it.
    #[error("find job {number}")]
    NotFound {
        /// The number asked for.
        number: u32,
    },
    /// The job has ended already.
    #[error("cancel job {number}: it has ended already")]
    Ended {
        /// The job's number.
        number: u32,
    },
    /// The user has too many jobs that have not ended.
    #[error("submit job: {most} jobs of this user have not ended, and no user may have more")]
    TooMany {
        /// The bound.
        most: u32,
    },
    /// The request id was used for another job.
    #[error("submit job: the request id `{request_id}` was used for a different job")]
    OtherRequest {
        /// The request id.
        request_id: String,
    },
    /// An unfinished job of the user has the name that must be free.
    #[error("submit job: an unfinished job of this user is called `{name}` already")]
    NameInUse {
        /// The name.
        name: String,
    },
    /// Whoever says who pays does not admit the job.
    #[error("submit job: {text}")]
    Refused {
        /// Of which kind the refusal is.
        kind: ErrorKind,
        /// Why, for the user.
        text: String,
    },
    /// Whoever says who pays failed.
    #[error("{step}")]
    Payer {
        /// The step, in words.
        step: &'static str,
        /// Of which kind the failure is.
        kind: ErrorKind,
        /// What it says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The numbers of this cluster are used up.
    #[error("number a job: all numbers of this cluster are used up")]
    Numbers,
    /// The session ended while a stream was open.
    #[error("follow job: the session has ended")]
    SessionEnded,
    /// The zone is stopping.
    #[error("work on jobs: the zone is stopping")]
    Stopping,
    /// A row does not hold what was written into it.
    #[error("read job: {what} is not readable")]
    Row {
        /// Which part.
        what: &'static str,
    },
    /// A node failed, or cannot be asked.
    #[error("{text}")]
    Away {
        /// Of which kind the failure is.
        kind: ErrorKind,
        /// What it says.
        text: String,
    },
    /// The node that had the job is none of the zone's any more.
    #[error("read output: its node `{node}` was removed from the zone")]
    NodeGone {
        /// The node.
        node: String,
    },
    /// A step on the node failed.
    #[error("{step}")]
    Node {
        /// The step, in words.
        step: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A file could not be read as its user.
    #[error("read output `{path}`")]
    Output {
        /// The path.
        path: String,
        /// Of which kind the failure is.
        kind: ErrorKind,
        /// What the reader says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The stage of a job failed.
    #[error("look after the job's stage")]
    Stage(#[from] stage::Error),
    /// A step ended in a panic, which is logged.
    #[error("the step ended in a panic")]
    Panicked,
    /// The right is missing or the session is over.
    #[error("use the permit")]
    Access(#[from] access::Error),
    /// The store failed.
    #[error("use the store")]
    Store(#[from] store::Error),
}

impl Error {
    /// The kind of this failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Draft(_) | Error::Field { .. } => ErrorKind::Invalid,
            Error::NotFound { .. } | Error::NodeGone { .. } => ErrorKind::NotFound,
            Error::Ended { .. } => ErrorKind::Precondition,
            Error::OtherRequest { .. } | Error::NameInUse { .. } => ErrorKind::Exists,
            Error::TooMany { .. } | Error::Numbers => ErrorKind::Exhausted,
            Error::SessionEnded => ErrorKind::Unauthenticated,
            Error::Stopping => ErrorKind::Unavailable,
            Error::Row { .. } | Error::Node { .. } | Error::Panicked => ErrorKind::Internal,
            Error::Output { kind, .. }
            | Error::Away { kind, .. }
            | Error::Refused { kind, .. }
            | Error::Payer { kind, .. } => *kind,
            Error::Stage(error) => error.kind(),
            Error::Access(error) => error.kind(),
            Error::Store(error) => error.kind(),
        }
    }
}
