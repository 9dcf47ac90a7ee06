//! From a slice's error to the status that SCOW's pages expect for it.
//!
//! The rows come from the contract of SCOW's portal; where it leaves a choice, decision 0009 says what was chosen.
//! The cause of a fault of ours goes to the log, under the call's id, and nowhere else.

use caller::fault::{access, log};
use files::Why;
use model::ErrorKind;
use tonic::{Code, Status};
use wire::FieldFaults;

use crate::{submit::field, trouble};

/// Adds what the slice finds wrong with a draft, by the message's fields.
pub(crate) fn add_draft(fields: &mut FieldFaults, faults: &[jobs::Fault]) {
    for fault in faults {
        fields.add(field(fault.field), &fault.what, &fault.want);
    }
}

/// A job that is not there is NOT_FOUND and a name that is taken ALREADY_EXISTS, which the pages know; whatever
/// else the engine refuses or fails at is SCOW's ADAPTER_CALL_ON_ONE_ERROR.
pub(crate) fn jobs(error: jobs::Error, cluster: &str) -> Status {
    if let jobs::Error::Access(source) = error {
        return access(source);
    }
    if let jobs::Error::Draft(faults) = &error {
        let mut fields = FieldFaults::new();
        add_draft(&mut fields, faults);
        return fields.into_status();
    }
    // What a scheduler refuses, as sbatch does where an account is wrong: INTERNAL with the sentence and without a trailer,
    // which the pages show to the user.
    if let jobs::Error::Refused { .. } = &error {
        return Status::new(Code::Internal, error.to_string());
    }
    log(error.kind(), &error);
    let (kind, text) = (error.kind(), error.to_string());
    match kind {
        ErrorKind::Invalid
        | ErrorKind::Unauthenticated
        | ErrorKind::Denied
        | ErrorKind::NotFound
        | ErrorKind::Exists => wire::status(kind, text),
        ErrorKind::Internal => trouble::engine_failed(cluster, kind, "internal error"),
        ErrorKind::Precondition
        | ErrorKind::Conflict
        | ErrorKind::Exhausted
        | ErrorKind::Unavailable
        | ErrorKind::Deadline
        | ErrorKind::Unimplemented => trouble::engine_failed(cluster, kind, &text),
    }
}

pub(crate) fn denied(text: &str) -> Status {
    wire::status(ErrorKind::Denied, text)
}

/// A folder that cannot be listed: what cannot be looked at is PERMISSION_DENIED, also where nothing is there;
/// what is no folder is INVALID_ARGUMENT.
pub(crate) fn folder(error: files::Error) -> Status {
    file_or_folder(error)
}

/// A file that cannot be read or written: as for a folder before it is open; INTERNAL with the sentence while it is read
/// or written.
pub(crate) fn file(error: files::Error) -> Status {
    if matches!(
        error,
        files::Error::Refused {
            why: Why::Broken | Why::Full
        }
    ) {
        log(error.kind(), &error);
        return Status::new(Code::Internal, error.to_string());
    }
    file_or_folder(error)
}

/// The home, or the machine as a whole: what keeps the user from working there is SCOW's SSH_ERROR.
pub(crate) fn file_or_folder(error: files::Error) -> Status {
    log(error.kind(), &error);
    let text = error.to_string();
    match error {
        files::Error::Access(source) => access(source),
        files::Error::Refused { why } => match why {
            Why::NotFound | Why::Denied | Why::NotWritable => denied(&text),
            Why::NotAFolder | Why::NotAFile | Why::BadPath | Why::NotKept => {
                let mut faults = FieldFaults::new();
                let right = match why {
                    Why::NotAFolder => "the path of a folder",
                    Why::NotAFile => "the path of a regular file",
                    Why::NotFound
                    | Why::Denied
                    | Why::BadPath
                    | Why::NotKept
                    | Why::Busy
                    | Why::NotWritable
                    | Why::Full
                    | Why::Broken => "another path",
                };
                faults.add("path", text, right);
                faults.into_status()
            }
            Why::Busy => wire::status(ErrorKind::Exhausted, text),
            Why::Full | Why::Broken => trouble::remote_failed(&text),
        },
        files::Error::Busy
        | files::Error::SessionEnded
        | files::Error::Stopping
        | files::Error::TooLarge { .. }
        | files::Error::Sender { .. }
        | files::Error::Store(_) => wire::status(error.kind(), text),
        files::Error::Unfit { .. }
        | files::Error::Lost
        | files::Error::Stalled
        | files::Error::Away { .. }
        | files::Error::Start(_)
        | files::Error::Socket(_)
        | files::Error::Panicked(_) => trouble::remote_failed(&text),
    }
}
