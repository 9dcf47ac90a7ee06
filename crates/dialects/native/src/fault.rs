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
    let named = |field: &'static str| match field {
        "owner" => "owner_user_name",
        "user" => "user_name",
        same => same,
    };
    money(error, named)
}

/// For the call that sets a price, in whose message an amount is a sum.
pub(crate) fn price(error: accounts::Error) -> Status {
    let named = |field: &'static str| match field {
        "id" => "price_id",
        "amount" => "basis",
        same => same,
    };
    money(error, named)
}

fn money(error: accounts::Error, named: fn(&'static str) -> &'static str) -> Status {
    if let accounts::Error::Access(source) = error {
        return access(source);
    }
    let accounts::Error::Invalid(faults) = &error else {
        return shown(error.kind(), &error);
    };
    let mut fields = FieldFaults::new();
    for fault in &faults.0 {
        fields.add(named(fault.field), &fault.what, &fault.want);
    }
    fields.into_status()
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
