//! From a slice's error to what the caller reads: a code, a sentence, and where fields are at fault, which.
//!
//! What it leaves to others: the codes (`wire`), and what access refuses (`caller`).

use caller::fault::{access, fields, shown};
use tonic::Status;
use wire::FieldFaults;

pub(crate) fn jobs(error: jobs::Error) -> Status {
    if let jobs::Error::Access(source) = error {
        return access(source);
    }
    shown(error.kind(), &error)
}

pub(crate) fn services(error: services::Error) -> Status {
    if let services::Error::Access(source) = error {
        return access(source);
    }
    let mut fields = FieldFaults::new();
    if let services::Error::Manifest(faults) = &error {
        for fault in faults {
            fields.add(manifest_field(fault), &fault.what, &fault.want);
        }
    } else if let services::Error::Field { field, what, want } = &error {
        fields.add(*field, what, want);
    } else {
        return shown(error.kind(), &error);
    }
    fields.into_status()
}

/// The message's name of a part of a manifest.
pub(crate) fn manifest_field(fault: &services::Fault) -> String {
    match fault.field.as_str() {
        whole @ "manifest" => whole.to_owned(),
        part => format!("manifest.{part}"),
    }
}

pub(crate) fn accounts(error: accounts::Error) -> Status {
    if let accounts::Error::Access(source) = error {
        return access(source);
    }
    let accounts::Error::Invalid(faults) = &error else {
        return shown(error.kind(), &error);
    };
    let mut fields = FieldFaults::new();
    for fault in &faults.0 {
        fields.add(money_field(fault.field), &fault.what, &fault.want);
    }
    fields.into_status()
}

/// The message's name of a field, which the slice calls as SCOW does.
fn money_field(field: &'static str) -> &'static str {
    match field {
        "account_name" => "name",
        "item_id" => "price_id",
        "type" => "kind",
        same => same,
    }
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
