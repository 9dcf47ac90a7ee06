//! All that is wrong with a request's fields, in one answer.
//!
//! What it leaves to others: the judging. A dialect checks every field, adds each fault here, and answers once.

use model::ErrorKind;
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::status::{code, cut};

/// How many faults one status names. With [`LONGEST_PART`] it keeps the trailers within the 8 KiB that many
/// clients take, although each text travels twice and a byte outside ASCII may take three.
const MOST_FAULTS: usize = 8;

/// The longest name of a field and the longest description of what is wrong, in bytes.
const LONGEST_PART: usize = 80;

/// Collects the faults of a request's fields and becomes one INVALID_ARGUMENT status.
///
/// The message names every fault for people; the details carry the same as `google.rpc.BadRequest` for
/// programs.
#[derive(Debug, Default)]
pub struct FieldFaults {
    faults: Vec<Fault>,
}

#[derive(Debug)]
struct Fault {
    field: String,
    text: String,
    /// What people read of it.
    spoken: String,
}

impl FieldFaults {
    /// Begins with no fault.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault: the field as the .proto file names it, what is wrong, and what would be right.
    ///
    /// Neither text repeats the value of a secret field.
    pub fn add(&mut self, field: impl Into<String>, wrong: impl AsRef<str>, right: impl AsRef<str>) {
        let text = format!(
            "{}; give {}",
            cut(wrong.as_ref().to_owned(), LONGEST_PART),
            right.as_ref()
        );
        let (field, text) = (cut(field.into(), LONGEST_PART), cut(text, 2 * LONGEST_PART));
        let spoken = format!("{field}: {text}");
        self.faults.push(Fault { field, text, spoken });
    }

    /// Adds a fault in the words that a protocol prescribes for it: a whole sentence, which people read as it is.
    pub fn add_sentence(&mut self, field: impl Into<String>, sentence: impl Into<String>) {
        let text = cut(sentence.into(), 2 * LONGEST_PART);
        self.faults.push(Fault {
            field: cut(field.into(), LONGEST_PART),
            spoken: text.clone(),
            text,
        });
    }

    /// Adds a fault where `good` does not hold.
    pub fn check(&mut self, good: bool, field: &str, wrong: &str, right: &str) {
        if !good {
            self.add(field, wrong, right);
        }
    }

    /// Tells whether no fault was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// Ends the collecting.
    ///
    /// # Errors
    /// One INVALID_ARGUMENT status that names all faults, where there are any.
    pub fn finish(self) -> Result<(), Status> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(self.into_status())
        }
    }

    /// Makes the status that names the faults: the first eight, and how many more there are.
    #[must_use]
    pub fn into_status(self) -> Status {
        let more = self.faults.len().saturating_sub(MOST_FAULTS);
        let mut message = String::new();
        let mut details = ErrorDetails::new();
        for fault in self.faults.into_iter().take(MOST_FAULTS) {
            begin_sentence(&mut message);
            message.push_str(&fault.spoken);
            details.add_bad_request_violation(fault.field, fault.text);
        }
        if more > 0 {
            begin_sentence(&mut message);
            message.push_str(&format!("And {more} more"));
        }
        Status::with_error_details(code(ErrorKind::Invalid), message, details)
    }
}

/// Ends the sentence before, where there is one that has no full stop yet.
fn begin_sentence(message: &mut String) {
    if !message.is_empty() {
        message.push_str(if message.ends_with('.') { " " } else { ". " });
    }
}
