//! The field `code` and the texts of LiteKube's answers (contract on the control API, section 4).
//!
//! What it leaves to others: the fields beside them (`desk`).

use model::ErrorKind;
use tonic::Status;

/// The text of every answer that went well.
pub(crate) const OK: &str = "ok";
/// The text for a token that is not known, was used, has ended, or is another's.
pub(crate) const NOT_FOUND: &str = "fail to find such item";
/// The text where the word of a machine is missing.
pub(crate) const NO_TOKEN: &str = "token can't be empty";
/// The text where the bootstrap token is missing.
pub(crate) const NO_BOOTSTRAP_TOKEN: &str = "bootstrap token can't be empty";
/// The text for a life that no bootstrap token may have. LiteKube has none: its tokens may live for ever.
pub(crate) const BAD_LIFE: &str = "expireTime must be 1 to 43200 minutes, or 0 for 10";

/// How a call went, as the first two fields of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Coded {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Coded {
    fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
        }
    }

    /// It went well.
    pub(crate) fn ok() -> Self {
        Self::new("200", OK)
    }

    /// What was asked for is at fault.
    pub(crate) fn bad(message: &str) -> Self {
        Self::new("400", message)
    }

    /// From what went wrong.
    ///
    /// # Errors
    /// A status, where it is the caller who is not known or may not.
    pub(crate) fn of(error: nodes::Error) -> Result<Self, Box<Status>> {
        let kind = error.kind();
        match (kind, error) {
            (ErrorKind::NotFound, _) | (_, nodes::Error::Token { .. }) => Ok(Self::bad(NOT_FOUND)),
            (_, error @ nodes::Error::TooManyRefused) => Ok(Self::new("400", error.to_string())),
            (ErrorKind::Invalid, _) => Ok(Self::bad(BAD_LIFE)),
            (ErrorKind::Denied | ErrorKind::Unauthenticated, nodes::Error::Access(source)) => {
                Err(Box::new(caller::fault::access(source)))
            }
            (kind, error) => {
                caller::fault::log(kind, &error);
                Ok(Self::new("500", error.to_string()))
            }
        }
    }

    /// The answer to a call that only fails or not.
    ///
    /// # Errors
    /// As [`Coded::of`].
    pub(crate) fn either(done: Result<(), nodes::Error>) -> Result<Self, Box<Status>> {
        done.map_or_else(Self::of, |()| Ok(Self::ok()))
    }

    /// Whether it went well.
    pub(crate) fn is_ok(&self) -> bool {
        self.code == "200"
    }
}

#[cfg(test)]
mod tests {
    use super::Coded;
    use nodes::{Error, TokenFault};

    #[test]
    fn what_is_at_fault_decides_the_code() {
        let token = |fault| Error::Token { fault };
        for fault in [
            TokenFault::Unknown,
            TokenFault::Used,
            TokenFault::Expired,
            TokenFault::Revoked,
        ] {
            let coded = Coded::of(token(fault)).unwrap();
            assert_eq!(
                (coded.code.as_str(), coded.message.as_str()),
                ("400", super::NOT_FOUND)
            );
        }
        let ours = Coded::of(Error::Row { what: "machine" }).unwrap();
        assert_eq!(
            (ours.code.as_str(), ours.message.as_str()),
            ("500", "read the row of a machine")
        );
        assert!(Coded::of(Error::Access(access::Error::BadCertificate)).is_err());
    }
}
