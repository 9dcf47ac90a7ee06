//! What can go wrong when work is set apart, and of which kind it is.
//!
//! What it leaves to others: logging and the texts that a caller sees.

use std::{io, path::PathBuf};

use model::ErrorKind;

/// A failure on the way from an account to a confined process.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A step of the system failed.
    #[error("{step}")]
    Step {
        /// The step, in words.
        step: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A step on a file or folder failed.
    #[error("{step} `{}`", path.display())]
    Path {
        /// The step, in words.
        step: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The user's Unix account is not on this machine, or may not be used.
    #[error("use Unix account `{name}`: {why}")]
    UnixAccount {
        /// The account's name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The home of the user cannot be used.
    #[error("use home `{}`: {why}", path.display())]
    Home {
        /// The home.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The user's name or number does not make a home or a uid.
    #[error("place user `{name}`: {why}")]
    User {
        /// The user's name.
        name: String,
        /// What is wrong.
        why: &'static str,
    },
    /// Without Landlock nobody but the zone's owner may run work under the agent's own uid.
    #[error("run work of `{name}`: this machine has no Landlock, so only the zone's owner may run work here")]
    NoWalls {
        /// The user's name.
        name: String,
    },
    /// Landlock refused the walls.
    #[error("put up the walls")]
    Walls(#[source] landlock::RulesetError),
    /// The plan or the probe's answer is not readable.
    #[error("read {what}")]
    Form {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The probe of the machine failed.
    #[error("probe what this machine offers: {why}")]
    Probe {
        /// What happened.
        why: String,
    },
}

impl Error {
    /// The kind of this failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Step { .. }
            | Error::Path { .. }
            | Error::Walls(_)
            | Error::Form { .. }
            | Error::Probe { .. } => ErrorKind::Internal,
            Error::UnixAccount { .. } | Error::Home { .. } | Error::User { .. } | Error::NoWalls { .. } => {
                ErrorKind::Precondition
            }
        }
    }

    pub(crate) fn step(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Error::Step { step, source }
    }

    pub(crate) fn errno(step: &'static str) -> impl FnOnce(nix::errno::Errno) -> Self {
        move |errno| Error::Step {
            step,
            source: errno.into(),
        }
    }

    pub(crate) fn path(step: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Error::Path { step, path, source }
    }
}
