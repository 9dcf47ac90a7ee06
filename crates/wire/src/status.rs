//! The one mapping between a kind of failure, a gRPC code and an HTTP status.
//!
//! What it leaves to others: the texts. They come from the caller and are written for whoever made the call;
//! the cause of a failure belongs in the log and never in a status.

use http::StatusCode;
use model::ErrorKind;
use tonic::{Code, Status};

/// Gives the gRPC code of a kind of failure.
#[must_use]
pub const fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::Unauthenticated => Code::Unauthenticated,
        ErrorKind::Denied => Code::PermissionDenied,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::Exists => Code::AlreadyExists,
        ErrorKind::Precondition => Code::FailedPrecondition,
        ErrorKind::Conflict => Code::Aborted,
        ErrorKind::Exhausted => Code::ResourceExhausted,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Deadline => Code::DeadlineExceeded,
        ErrorKind::Unimplemented => Code::Unimplemented,
        ErrorKind::Internal => Code::Internal,
    }
}

/// Gives the spelling of a code in gRPC's own documents (doc/statuscodes.md).
#[must_use]
pub const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Gives the HTTP status of a kind of failure.
#[must_use]
pub const fn http_status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Exists | ErrorKind::Precondition | ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Exhausted => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Deadline => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Gives the kind of failure behind a gRPC code, for callers; `None` for OK and for codes that no kind has.
#[must_use]
pub fn kind(code: Code) -> Option<ErrorKind> {
    ErrorKind::ALL.into_iter().find(|kind| self::code(*kind) == code)
}

/// The longest message of a status, in bytes. A status travels in trailers, of which many clients take
/// 8 KiB in all, and each byte that is not ASCII becomes three on the way.
const LONGEST_MESSAGE: usize = 1024;

/// Makes the answer for a failed call.
///
/// The message reaches the caller as it is, cut after 1024 bytes, with one exception: an
/// [`ErrorKind::Internal`] always reads "internal error", because whatever else is known about a fault of
/// ours is for the log.
#[must_use]
pub fn status(kind: ErrorKind, message: impl Into<String>) -> Status {
    if kind == ErrorKind::Internal {
        return Status::new(code(kind), "internal error");
    }
    Status::new(code(kind), cut(message.into(), LONGEST_MESSAGE))
}

/// Cuts a text after at most `longest` bytes, between two characters.
pub(crate) fn cut(mut text: String, longest: usize) -> String {
    if text.len() > longest {
        let mark = "...";
        text.truncate(text.floor_char_boundary(longest - mark.len()));
        text.push_str(mark);
    }
    text
}
