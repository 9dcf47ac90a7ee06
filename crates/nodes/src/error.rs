//! What can go wrong with machines.
//!
//! What it leaves to others: the texts of a protocol. No text here holds a token.

use std::fmt;

use access::Faults;
use model::ErrorKind;

use crate::Pool;

/// Why a join token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// It is no token of this zone, or was never given.
    Unknown,
    /// It was made for something else than this join.
    OtherKind,
    /// It was used as often as it may be.
    Used,
    /// Its end has passed.
    Expired,
    /// It was revoked.
    Revoked,
    /// It was made for a machine of another name.
    OtherName,
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TokenFault::Unknown => "it is no token of this zone",
            TokenFault::OtherKind => "it was made for something else than a node",
            TokenFault::Used => "token used: make another one",
            TokenFault::Expired => "its end has passed: make another one",
            TokenFault::Revoked => "it was revoked: make another one",
            TokenFault::OtherName => "it was made for a machine of another name",
        })
    }
}

/// Says why a call about machines failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields of the request are wrong.
    #[error("check the request: {0}")]
    Invalid(Faults),
    /// The join token is not taken.
    #[error("accept the join token: {fault}")]
    Token {
        /// Why.
        fault: TokenFault,
    },
    /// The join token is not taken, as those before from there.
    #[error(
        "accept the join token: too many were refused in this minute; wait one, and look at the token again"
    )]
    TooManyRefused,
    /// One of the keys belongs to a machine of the zone, now or formerly.
    #[error("join: a key was used by another machine before; delete this node's keys to get new ones")]
    KeyTaken,
    /// The request for a certificate has another key than the machine joined with.
    #[error("renew the certificate: the key is another one than the machine joined with")]
    OtherKey,
    /// No address is free.
    #[error("take an address: all of {pool} are in use or were given back too recently")]
    PoolFull {
        /// The pool.
        pool: Pool,
    },
    /// The text or its parts make no pool.
    #[error("read the address pool: {fault}, want a network of 8 to 29 bits such as 10.77.0.0/16")]
    BadPool {
        /// What is wrong.
        fault: &'static str,
    },
    /// The zone was made with another pool.
    #[error(
        "open the address pool {pool}: this zone was made with {made_with}, and machines keep their addresses"
    )]
    OtherPool {
        /// As it was.
        made_with: String,
        /// As it is set now.
        pool: Pool,
    },
    /// The server runs on this machine.
    #[error("remove node `{name}`: the zone's server runs on it")]
    Own {
        /// Its name.
        name: model::Name,
    },
    /// The thing is not there.
    #[error("find {what}")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// A row is not as this release writes it.
    #[error("read the row of a {what}")]
    Row {
        /// What the row is about.
        what: &'static str,
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
            Error::Invalid(_) | Error::BadPool { .. } => ErrorKind::Invalid,
            Error::Token { .. } => ErrorKind::Unauthenticated,
            Error::KeyTaken => ErrorKind::Exists,
            Error::OtherKey => ErrorKind::Denied,
            Error::PoolFull { .. } | Error::TooManyRefused => ErrorKind::Exhausted,
            Error::OtherPool { .. } | Error::Own { .. } => ErrorKind::Precondition,
            Error::NotFound { .. } => ErrorKind::NotFound,
            Error::Row { .. } => ErrorKind::Internal,
            Error::Access(source) => source.kind(),
            Error::Store(source) => source.kind(),
        }
    }
}
