//! From an error to what a caller reads: a code, a sentence, and where fields are at fault, which.
//!
//! The cause of a fault of ours goes to the log, under the call's id, and nowhere else. What it leaves to others:
//! the codes (`wire`).

use std::error::Error;

use access::Faults;
use model::ErrorKind;
use tonic::Status;
use wire::FieldFaults;

/// The status for what access refused.
#[must_use]
pub fn access(error: access::Error) -> Status {
    if let access::Error::Invalid(faults) = &error {
        return fields(faults);
    }
    shown(error.kind(), &error)
}

/// INVALID_ARGUMENT with every field that is at fault.
#[must_use]
pub fn fields(faults: &Faults) -> Status {
    let mut fields = FieldFaults::new();
    for fault in &faults.0 {
        fields.add(fault.field, &fault.what, &fault.want);
    }
    fields.into_status()
}

/// Answers with the error's own sentence, and logs it with its causes where [`log`] does.
#[must_use]
pub fn shown(kind: ErrorKind, error: &(dyn Error + 'static)) -> Status {
    log(kind, error);
    wire::status(kind, visible(&error.to_string()))
}

/// A sentence may repeat a name that was asked for; what a terminal would obey in it is replaced.
fn visible(text: &str) -> String {
    let keep = |c: char| {
        if c.is_control() && c != '\n' {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.chars().map(keep).collect()
}

/// Logs a fault with its causes where it is ours or a part is away; what a caller did wrong is no line in the log.
pub fn log(kind: ErrorKind, error: &(dyn Error + 'static)) {
    if matches!(
        kind,
        ErrorKind::Internal | ErrorKind::Unavailable | ErrorKind::Deadline
    ) {
        tracing::error!(error = model::chain(error), "a call failed");
    }
}
