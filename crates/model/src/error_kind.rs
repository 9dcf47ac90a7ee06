//! The twelve ways in which a call can fail, for every slice and every protocol.
//!
//! What it leaves to others: the gRPC code and HTTP status of each kind (crate `wire`), and texts.

use std::fmt;

/// Says what sort of failure happened, so that every door answers it with the same meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// The request itself is wrong: the caller must change it.
    Invalid,
    /// Nobody is signed in, or the proof given is not good.
    Unauthenticated,
    /// The actor is known and may not do this.
    Denied,
    /// The thing is not there, or the actor may not know that it is.
    NotFound,
    /// The name or thing exists already.
    Exists,
    /// The state of the thing forbids this now.
    Precondition,
    /// Somebody else changed the thing meanwhile: read again and repeat.
    Conflict,
    /// A quota, a limit or a rate is used up.
    Exhausted,
    /// A part that is needed is not reachable now: repeat later.
    Unavailable,
    /// The deadline passed before the work was done.
    Deadline,
    /// This call is not built.
    Unimplemented,
    /// A fault of ours.
    Internal,
}

impl ErrorKind {
    /// Every kind once, in declaration order.
    pub const ALL: [ErrorKind; 12] = [
        ErrorKind::Invalid,
        ErrorKind::Unauthenticated,
        ErrorKind::Denied,
        ErrorKind::NotFound,
        ErrorKind::Exists,
        ErrorKind::Precondition,
        ErrorKind::Conflict,
        ErrorKind::Exhausted,
        ErrorKind::Unavailable,
        ErrorKind::Deadline,
        ErrorKind::Unimplemented,
        ErrorKind::Internal,
    ];

    /// Tells whether the same request may succeed when repeated unchanged.
    #[must_use]
    pub const fn retryable(self) -> bool {
        matches!(self, ErrorKind::Conflict | ErrorKind::Unavailable)
    }

    /// The kind as one lower-case word, for logs and audit rows.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            ErrorKind::Invalid => "invalid",
            ErrorKind::Unauthenticated => "unauthenticated",
            ErrorKind::Denied => "denied",
            ErrorKind::NotFound => "not_found",
            ErrorKind::Exists => "exists",
            ErrorKind::Precondition => "precondition",
            ErrorKind::Conflict => "conflict",
            ErrorKind::Exhausted => "exhausted",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Deadline => "deadline",
            ErrorKind::Unimplemented => "unimplemented",
            ErrorKind::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorKind;

    #[test]
    fn only_conflict_and_unavailable_may_be_repeated_unchanged() {
        let repeatable: Vec<_> = ErrorKind::ALL
            .into_iter()
            .filter(|kind| kind.retryable())
            .collect();
        assert_eq!(repeatable, [ErrorKind::Conflict, ErrorKind::Unavailable]);
    }

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<_> = ErrorKind::ALL.iter().map(|kind| kind.word()).collect();
        assert_eq!(words.len(), ErrorKind::ALL.len());
    }
}
