//! Faults of the rooms as failures of kRPC: the contract's classes and texts.
//!
//! What it leaves to others: texts that belong to one method (the services).

use krpc::{BadToken, Class, Failure, Jwt};
use model::{ErrorKind, Timestamp};

/// Why a token was refused, read from the token itself: it is shown to whoever sent it.
///
/// Section 10 of the contract on system_config has the texts.
pub(crate) fn token(token: &str, now: Timestamp) -> Failure {
    let invalid = |text: &str| Failure::new(Class::InvalidToken, text);
    let claims = match Jwt::parse(token) {
        Ok(jwt) => jwt.claims,
        Err(BadToken::NotJwt | BadToken::Header) => return Failure::reason("JWT decode header error"),
        Err(BadToken::Algorithm) => return invalid("JWT decode error:InvalidAlgorithm"),
        Err(BadToken::Claims) => return Failure::reason("Failed to decode session token: wrong types"),
    };
    if claims.subject.is_none() {
        return invalid("Missing sub");
    }
    if claims.app_id.is_none() {
        return Failure::new(Class::ParseRequest, "Missing appid");
    }
    match claims.expires_at {
        None => invalid("JWT decode error:Missing required claim: exp"),
        Some(end) if has_passed(end, now) => invalid("JWT decode error:ExpiredSignature"),
        Some(_) if claims.audience.is_some() => invalid("JWT decode error:InvalidAudience"),
        Some(_) => invalid("JWT decode error:InvalidSignature"),
    }
}

fn has_passed(end_secs: u64, now: Timestamp) -> bool {
    i64::try_from(end_secs).is_ok_and(|end| end <= now.secs())
}

/// A fault of access where no method has a text of its own for it.
pub(crate) fn of_access(error: &access::Error) -> Failure {
    match error.kind() {
        ErrorKind::Unauthenticated => Failure::new(Class::InvalidToken, error.to_string()),
        ErrorKind::Denied => Failure::new(Class::NoPermission, error.to_string()),
        ErrorKind::Invalid => Failure::new(Class::ParseRequest, error.to_string()),
        ErrorKind::Unavailable | ErrorKind::Conflict | ErrorKind::Deadline => {
            tracing::debug!(error = error as &dyn std::error::Error, "a call is put off");
            Failure::reason("temporarily unavailable, repeat the call")
        }
        ErrorKind::Internal => {
            tracing::error!(error = error as &dyn std::error::Error, "a call failed");
            Failure::reason("internal error")
        }
        ErrorKind::NotFound
        | ErrorKind::Exists
        | ErrorKind::Precondition
        | ErrorKind::Exhausted
        | ErrorKind::Unimplemented => Failure::reason(error.to_string()),
    }
}

/// A fault of the tree.
pub(crate) fn of_tree(error: tree::Error) -> Failure {
    use tree::BadKey;
    match error {
        tree::Error::Key(BadKey::Empty) => Failure::reason("Missing key"),
        tree::Error::Key(BadKey::Reserved) => Failure::reason("internal metadata key is reserved"),
        tree::Error::Key(fault) => Failure::new(Class::ParseRequest, format!("`key`: {fault}")),
        tree::Error::Value { what, .. } => Failure::new(Class::ParseRequest, format!("`value` {what}")),
        tree::Error::Exists { key } => Failure::reason(format!("key exist : {key}")),
        tree::Error::NotFound { key } => Failure::reason(format!("key not found : {key}")),
        tree::Error::NotJson { key } => {
            Failure::reason(format!("internal error : the value of {key} is no JSON"))
        }
        tree::Error::Path { fault, .. } => Failure::new(Class::ParseRequest, format!("`json_path`: {fault}")),
        tree::Error::Revision {
            key,
            expected,
            actual,
        } => Failure::reason(format!(
            "revision mismatch for key {key}: expected {expected}, actual {actual}"
        )),
        tree::Error::TooManySteps { most } => Failure::new(
            Class::ParseRequest,
            format!("`actions` has more than {most} keys"),
        ),
        tree::Error::NoRead { .. } => Failure::new(Class::NoPermission, "No read permission"),
        tree::Error::NoWrite { key } => no_write(&key),
        full @ (tree::Error::Full { .. } | tree::Error::TooMany { .. }) => Failure::reason(full.to_string()),
        tree::Error::Access(error) => of_access(&error),
        tree::Error::Store(error) => of_access(&access::Error::Store(error)),
    }
}

/// The refusal of a write.
pub(crate) fn no_write(key: &tree::Key) -> Failure {
    Failure::new(Class::NoPermission, format!("No write permission for key: {key}"))
}
