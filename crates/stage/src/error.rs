//! What can go wrong with a stage, in its own steps and around it, and of which kind it is.
//!
//! What it leaves to others: what it means for the work (whoever ordered it).

use std::io;

use model::ErrorKind;

/// A failure of a stage, or of looking after one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The words after the hidden subcommand are not those of a stage.
    #[error("the words after `stage` are not known")]
    Words,
    /// The work cannot be set apart.
    #[error("set work apart")]
    Confine(#[source] confine::Error),
    /// A step of the system failed.
    #[error("{step}")]
    Step {
        /// The step, in words.
        step: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// What one step of a stage says to another is not in its form.
    #[error("read {what}")]
    Form {
        /// Which part.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// Something that the order names cannot be used.
    #[error("{what} `{name}`: {why}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// The name of the thing.
        name: String,
        /// Why it cannot be used.
        why: String,
    },
    /// A step ended in a panic, which is logged.
    #[error("the step ended in a panic")]
    Panicked,
}

impl Error {
    /// The kind of this failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Words | Error::Form { .. } | Error::Step { .. } | Error::Panicked => ErrorKind::Internal,
            Error::Refused { .. } => ErrorKind::Precondition,
            Error::Confine(error) => error.kind(),
        }
    }

    /// Names a step that the system refused.
    pub fn step(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Error::Step { step, source }
    }

    pub(crate) fn errno(step: &'static str) -> impl FnOnce(nix::errno::Errno) -> Self {
        move |errno| Error::Step {
            step,
            source: errno.into(),
        }
    }
}

impl From<confine::Error> for Error {
    fn from(error: confine::Error) -> Self {
        Error::Confine(error)
    }
}
