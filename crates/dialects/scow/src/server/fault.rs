//! From an error of `accounts` to the status that SCOW's pages expect for it.
//!
//! What it leaves to others: the codes of kinds (`wire`), and what a single call says differently (its own file).

use accounts::Error;
use caller::fault::{access, shown};
use tonic::{Code, Status};
use wire::FieldFaults;

/// What a message calls fields that the slice calls otherwise: the slice's name, the message's.
pub(super) type Names = &'static [(&'static str, &'static str)];

/// The status for what the slice refused or failed at. Its fields have the names that most messages give them.
pub(super) fn accounts(error: Error) -> Status {
    renamed(error, &[])
}

/// The same for a message that calls some fields otherwise.
pub(super) fn renamed(error: Error, names: Names) -> Status {
    if let Error::Access(source) = error {
        return access(source);
    }
    let Error::Invalid(faults) = &error else {
        return shown(error.kind(), &error);
    };
    let mut fields = FieldFaults::new();
    for fault in &faults.0 {
        let other = names.iter().find(|(slice, _)| *slice == fault.field);
        let field = other.map_or(fault.field, |(_, message)| message);
        fields.add(field, &fault.what, &fault.want);
    }
    fields.into_status()
}

/// A word that SCOW's pages read instead of a sentence.
pub(super) fn word(code: Code, word: &'static str) -> Status {
    Status::new(code, word)
}
