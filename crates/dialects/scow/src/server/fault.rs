//! From an error of `accounts` to the status that SCOW's pages expect for it.
//!
//! What it leaves to others: the codes of kinds (`wire`), and what a single call says differently (its own file).

use accounts::Error;
use caller::fault::{access, shown};
use tonic::{Code, Status};
use wire::FieldFaults;

/// The status for what the slice refused or failed at. Its fields have the names that the messages give them.
pub(super) fn accounts(error: Error) -> Status {
    newcomer(error, "user_name")
}

/// The same for a call that makes a user, whose name is in this field of the message.
pub(super) fn newcomer(error: Error, name: &'static str) -> Status {
    if let Error::Access(source) = error {
        return access(source);
    }
    let Error::Invalid(faults) = &error else {
        return shown(error.kind(), &error);
    };
    let mut fields = FieldFaults::new();
    for fault in &faults.0 {
        let field = if fault.field == "user_name" {
            name
        } else {
            fault.field
        };
        fields.add(field, &fault.what, &fault.want);
    }
    fields.into_status()
}

/// A word that SCOW's pages read instead of a sentence.
pub(super) fn word(code: Code, word: &'static str) -> Status {
    Status::new(code, word)
}
