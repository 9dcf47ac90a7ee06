//! From a slice's error to what the caller reads: a code, a sentence, and where fields are at fault, which.
//!
//! The cause of a fault of ours goes to the log, under the call's id, and nowhere else. What it leaves to
//! others: the codes (`wire`).

use std::error::Error;

use model::ErrorKind;
use tonic::Status;
use wire::FieldFaults;

pub(crate) fn access(error: access::Error) -> Status {
    if let access::Error::Invalid(faults) = &error {
        return fields(faults);
    }
    shown(error.kind(), &error)
}

fn fields(faults: &access::Faults) -> Status {
    let mut fields = FieldFaults::new();
    for fault in &faults.0 {
        fields.add(fault.field, &fault.what, &fault.want);
    }
    fields.into_status()
}

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

pub(crate) fn bearer(error: &rpc::Error) -> Status {
    shown(error.kind(), error)
}

/// Answers with the error's own sentence; logs the chain where the fault is ours or a part is away.
pub(crate) fn shown(kind: ErrorKind, error: &(dyn Error + 'static)) -> Status {
    if matches!(kind, ErrorKind::Internal | ErrorKind::Unavailable) {
        let sources = std::iter::successors(error.source(), |source| (*source).source());
        let chain = sources.fold(error.to_string(), |text, source| format!("{text}: {source}"));
        tracing::error!(error = chain, "a call failed");
    }
    wire::status(kind, error.to_string())
}
