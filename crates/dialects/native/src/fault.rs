//! From a slice's error to what the caller reads: a code, a sentence, and where fields are at fault, which.
//!
//! What it leaves to others: the codes (`wire`), and what access refuses (`caller`).

use caller::fault::{access, fields, shown};
use tonic::Status;

pub(crate) fn jobs(error: jobs::Error) -> Status {
    if let jobs::Error::Access(source) = error {
        return access(source);
    }
    shown(error.kind(), &error)
}

pub(crate) fn nodes(error: nodes::Error) -> Status {
    if let nodes::Error::Access(source) = error {
        return access(source);
    }
    if let nodes::Error::Invalid(faults) = &error {
        return fields(faults);
    }
    shown(error.kind(), &error)
}
