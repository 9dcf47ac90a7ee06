//! What can go wrong on the machine.
//!
//! What it leaves to others: the exit code. No text here holds a token or a key.

use std::path::PathBuf;

use model::ErrorKind;

/// Says which step failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token is none that the zone gives for nodes.
    #[error(
        "read the join token: it is none for a node, want the text that the zone's administrator was shown"
    )]
    Token(#[source] nodes::Error),
    /// The server is not the one that the token is for, or cannot be reached.
    #[error("reach the zone's server; the token was not sent")]
    Reach(#[source] rpc::Error),
    /// The server refused, or went away.
    #[error("{step}: {}", .status.message())]
    Refused {
        /// What was asked for.
        step: &'static str,
        /// Its answer.
        status: Box<tonic::Status>,
    },
    /// The server's answer lacks a part.
    #[error("read the server's answer: it has no {what}")]
    Answer {
        /// What is missing.
        what: &'static str,
    },
    /// This machine is a node already.
    #[error("join: this machine is the node `{name}` of a zone already; leave that first")]
    Member {
        /// Its name there.
        name: String,
    },
    /// This machine is no node.
    #[error("read `{}`: this machine has not joined a zone", .path.display())]
    NoMember {
        /// The file that would say so.
        path: PathBuf,
    },
    /// A file of the machine cannot be read or written.
    #[error("use `{}`", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file of the machine is not as this release writes it.
    #[error("read `{}`: {what}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, without any of its content.
        what: &'static str,
    },
    /// A key cannot be made or used.
    #[error("{step}: the cryptographic library refuses")]
    Keys {
        /// What was being done.
        step: &'static str,
    },
    /// The certificate makes no link.
    #[error("open the link")]
    Link(#[source] rpc::Error),
}

impl Error {
    /// Which kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Token(_) => ErrorKind::Invalid,
            Error::Reach(source) | Error::Link(source) => source.kind(),
            Error::Refused { status, .. } => wire::kind(status.code()).unwrap_or(ErrorKind::Internal),
            Error::Member { .. } => ErrorKind::Exists,
            Error::NoMember { .. } | Error::File { .. } | Error::Content { .. } => ErrorKind::Precondition,
            Error::Answer { .. } | Error::Keys { .. } => ErrorKind::Internal,
        }
    }
}
