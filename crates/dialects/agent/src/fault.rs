//! From an error to what a machine reads: a code, a sentence, and where fields are at fault, which.
//!
//! What it leaves to others: the codes (`wire`).

use std::error::Error;

use access::Faults;
use model::ErrorKind;
use tonic::Status;
use wire::FieldFaults;

pub(crate) fn access(error: access::Error) -> Status {
    if let access::Error::Invalid(faults) = &error {
        return fields(faults);
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

fn fields(faults: &Faults) -> Status {
    let mut fields = FieldFaults::new();
    for fault in &faults.0 {
        fields.add(fault.field, &fault.what, &fault.want);
    }
    fields.into_status()
}

/// Answers with the error's own sentence; logs the chain where the fault is ours or a part is away.
fn shown(kind: ErrorKind, error: &(dyn Error + 'static)) -> Status {
    if matches!(kind, ErrorKind::Internal | ErrorKind::Unavailable) {
        let sources = std::iter::successors(error.source(), |source| (*source).source());
        let chain = sources.fold(error.to_string(), |text, source| format!("{text}: {source}"));
        tracing::error!(error = chain, "a call of a machine failed");
    }
    wire::status(kind, error.to_string())
}
