//! Failures of a method: a class, told by how the text begins, and the rest of the text.
//!
//! The text is all that the protocol has; its beginnings are kept to the letter because callers match them. Beside
//! it goes a word of ours for the class, which clients of the protocol do not look at. What it leaves to others:
//! which class a fault has (the services).

use std::fmt;

/// What sort of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Anything without a class of its own.
    Reason,
    /// The service has no such method.
    UnknownMethod,
    /// The token cannot be accepted.
    InvalidToken,
    /// The parameters cannot be read.
    ParseRequest,
    /// The answer cannot be read.
    ParseResponse,
    /// The token was good and has ended.
    TokenExpired,
    /// The caller is known and may not do this.
    NoPermission,
    /// The password is not right.
    InvalidPassword,
    /// There is no such user.
    UserNotFound,
    /// There is no such key.
    KeyNotExist,
    /// The service cannot be used now.
    ServiceNotValid,
}

impl Class {
    /// Every class once.
    pub const ALL: [Class; 11] = [
        Class::Reason,
        Class::UnknownMethod,
        Class::InvalidToken,
        Class::ParseRequest,
        Class::ParseResponse,
        Class::TokenExpired,
        Class::NoPermission,
        Class::InvalidPassword,
        Class::UserNotFound,
        Class::KeyNotExist,
        Class::ServiceNotValid,
    ];

    /// How a text of this class begins, blanks included.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Class::Reason => "Failed due to reason: ",
            Class::UnknownMethod => "Unknown method: ",
            Class::InvalidToken => "Invalid token: ",
            Class::ParseRequest => "Parse Request Error: ",
            Class::ParseResponse => "Parse Response Error: ",
            Class::TokenExpired => "Token expired:",
            Class::NoPermission => "No permission:",
            Class::InvalidPassword => "Invalid password",
            Class::UserNotFound => "User Not Found:",
            Class::KeyNotExist => "Key not exist: ",
            Class::ServiceNotValid => "Service not valid: ",
        }
    }

    /// The class as one word, for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Class::Reason => "reason",
            Class::UnknownMethod => "unknown_method",
            Class::InvalidToken => "invalid_token",
            Class::ParseRequest => "parse_request",
            Class::ParseResponse => "parse_response",
            Class::TokenExpired => "token_expired",
            Class::NoPermission => "no_permission",
            Class::InvalidPassword => "invalid_password",
            Class::UserNotFound => "user_not_found",
            Class::KeyNotExist => "key_not_exist",
            Class::ServiceNotValid => "service_not_valid",
        }
    }
}

/// A method's failure, as it stands in `error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class.
    pub class: Class,
    /// The text behind the class's beginning.
    pub text: String,
}

impl Failure {
    /// A failure of this class.
    #[must_use]
    pub fn new(class: Class, text: impl Into<String>) -> Self {
        Self {
            class,
            text: text.into(),
        }
    }

    /// A failure without a class of its own.
    #[must_use]
    pub fn reason(text: impl Into<String>) -> Self {
        Self::new(Class::Reason, text)
    }

    /// Reads a text back; one with no known beginning is a reason.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let found = Class::ALL
            .into_iter()
            .find_map(|class| Some(Self::new(class, text.strip_prefix(class.prefix())?)));
        found.unwrap_or_else(|| Self::reason(text))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.class.prefix(), self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Class, Failure};

    #[test]
    fn each_class_is_told_by_how_its_text_begins() {
        for class in Class::ALL {
            let failure = Failure::new(class, "x y");
            assert_eq!(Failure::parse(&failure.to_string()), failure);
        }
        assert_eq!(
            Failure::parse("something else"),
            Failure::reason("something else")
        );
        let codes: BTreeSet<_> = Class::ALL.map(Class::code).into();
        assert_eq!(codes.len(), Class::ALL.len());
    }
}
