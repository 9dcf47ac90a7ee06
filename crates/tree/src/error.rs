//! What can go wrong with the tree.
//!
//! What it leaves to others: the texts of a protocol. No text here holds a value.

use model::ErrorKind;

use crate::{BadKey, BadPath, Key};

/// Says why a call on the tree failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is no key.
    #[error("read the key: {0}")]
    Key(#[from] BadKey),
    /// The value is too long, or holds the character NUL.
    #[error("write `{key}`: its value {what}")]
    Value {
        /// The key.
        key: Key,
        /// What is wrong and what would be right.
        what: String,
    },
    /// There is a value already.
    #[error("create `{key}`: it exists already")]
    Exists {
        /// The key.
        key: Key,
    },
    /// There is no value.
    #[error("find `{key}`: it is not there")]
    NotFound {
        /// The key.
        key: Key,
    },
    /// The value is no JSON, so it has no parts.
    #[error("write a part of `{key}`: its value is no JSON")]
    NotJson {
        /// The key.
        key: Key,
    },
    /// A path into a value leads nowhere.
    #[error("write a part of `{key}`: the path is not good: {fault}")]
    Path {
        /// The key.
        key: Key,
        /// What is wrong with the path.
        fault: BadPath,
    },
    /// A transaction has more keys than are taken at once.
    #[error("write several keys: there are more than {most}")]
    TooManySteps {
        /// The limit.
        most: usize,
    },
    /// The key that guards a transaction has another revision.
    #[error("write several keys: `{key}` has revision {actual}, not {expected}")]
    Revision {
        /// The key.
        key: Key,
        /// The revision that was asked for.
        expected: u64,
        /// The revision that it has.
        actual: u64,
    },
    /// The caller may not read here.
    #[error("read `{place}`: this user has no right to it")]
    NoRead {
        /// The key, or the prefix of a list.
        place: String,
    },
    /// The caller may not write here, or nobody may.
    #[error("write `{key}`: this user has no right to it, or it cannot be written")]
    NoWrite {
        /// The key.
        key: Key,
    },
    /// The caller has used up what a user may keep.
    #[error("write `{key}`: a user may keep at most {most} {what}")]
    Full {
        /// The key.
        key: Key,
        /// The limit.
        most: u64,
        /// What is limited.
        what: &'static str,
    },
    /// More names than a list can hold.
    #[error("list `{place}`: it has more than {most} names")]
    TooMany {
        /// The prefix.
        place: String,
        /// The limit.
        most: usize,
    },
    /// Access refused, or failed.
    #[error("ask access")]
    Access(#[from] access::Error),
    /// The store failed.
    #[error("use the store")]
    Store(#[from] store::Error),
}

impl Error {
    /// Which kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Key(_) | Error::Value { .. } | Error::Path { .. } | Error::TooManySteps { .. } => {
                ErrorKind::Invalid
            }
            Error::NotJson { .. } => ErrorKind::Precondition,
            Error::Revision { .. } => ErrorKind::Conflict,
            Error::Exists { .. } => ErrorKind::Exists,
            Error::NotFound { .. } => ErrorKind::NotFound,
            Error::NoRead { .. } | Error::NoWrite { .. } => ErrorKind::Denied,
            Error::Full { .. } | Error::TooMany { .. } => ErrorKind::Exhausted,
            Error::Access(source) => source.kind(),
            Error::Store(source) => source.kind(),
        }
    }
}
