//! What can go wrong for a client: one line with the cause, one with the cure, and an exit code by class.
//!
//! What it leaves to others: the job's own exit code, which `soke run` hands on untouched.

use std::path::PathBuf;

use model::ErrorKind;

/// A failed command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No server has written its address there.
    #[error("no zone runs on {}", data.display())]
    NoServer {
        /// The data folder that was looked at.
        data: PathBuf,
    },
    /// Nobody has signed in yet, or the session has ended.
    #[error("nobody is signed in")]
    NotSignedIn,
    /// The server cannot be reached.
    #[error("the zone at {address} does not answer: {reason}")]
    Unreachable {
        /// Where it should be.
        address: String,
        /// What the connection said.
        reason: String,
    },
    /// The server refused a call.
    #[error("{message}")]
    Refused {
        /// The kind of refusal.
        kind: ErrorKind,
        /// The server's own sentence, with what is wrong in each field.
        message: String,
    },
    /// A file of the client's own cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the client's own holds something else.
    #[error("{} is damaged: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The terminal or pipe cannot be read or written.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] std::io::Error),
    /// What was given is wrong.
    #[error("{what}")]
    Usage {
        /// What was wrong.
        what: String,
        /// What would be right.
        want: String,
    },
    /// The server answered something that the contract does not allow.
    #[error("the zone's answer makes no sense: {0}")]
    Answer(&'static str),
}

impl Error {
    /// The kind, as for every other crate.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Error::NoServer { .. } | Error::Unreachable { .. } => ErrorKind::Unavailable,
            Error::NotSignedIn => ErrorKind::Unauthenticated,
            Error::Refused { kind, .. } => *kind,
            Error::File { .. } | Error::Malformed { .. } | Error::Terminal(_) | Error::Answer(_) => {
                ErrorKind::Internal
            }
            Error::Usage { .. } => ErrorKind::Invalid,
        }
    }

    /// What the person can do about it, where that is known.
    #[must_use]
    pub fn cure(&self) -> Option<String> {
        match self {
            Error::NoServer { .. } => {
                Some("start one with `soke up`, or name its folder with --data".to_owned())
            }
            Error::NotSignedIn => Some("soke sign-in".to_owned()),
            Error::Unreachable { .. } => Some("see whether `soke up` still runs there".to_owned()),
            Error::Refused {
                kind: ErrorKind::Unauthenticated,
                ..
            } => Some("soke sign-in".to_owned()),
            Error::Refused { kind, .. } if kind.retryable() => Some("try again".to_owned()),
            Error::Malformed { path, .. } => Some(format!("remove {} and sign in again", path.display())),
            Error::Usage { want, .. } => Some(want.clone()),
            Error::Refused { .. } | Error::File { .. } | Error::Terminal(_) | Error::Answer(_) => None,
        }
    }

    /// The exit code of the class, after `sysexits.h`.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        exit_code(self.kind())
    }
}

/// The exit code for a kind of failure, after `sysexits.h`: 64 usage, 66 not there, 69 out of reach, 70 a fault
/// of ours, 73 in the way, 75 try again, 77 not allowed.
#[must_use]
pub const fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Invalid => 64,
        ErrorKind::NotFound => 66,
        ErrorKind::Unavailable | ErrorKind::Deadline | ErrorKind::Unimplemented => 69,
        ErrorKind::Internal => 70,
        ErrorKind::Exists | ErrorKind::Precondition => 73,
        ErrorKind::Conflict | ErrorKind::Exhausted => 75,
        ErrorKind::Unauthenticated | ErrorKind::Denied => 77,
    }
}
