//! All that is wrong with a request's fields, in one answer.
//!
//! What it leaves to others: the judging. A dialect checks every field, adds each fault here, and answers once.

use model::ErrorKind;
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::status::{code, cut};

/// How many faults one status names.
const MOST_FAULTS: usize = 8;

/// How many bytes the faults of one status may take on the way, so that the trailers keep within the 8 KiB that many
/// clients take: the message travels twice, once so that a byte which is no letter takes three, and each text once more.
const MOST_BYTES: usize = 7500;

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

    /// Makes the status that names the faults: the first eight, or as many as fit, and how many more there are.
    #[must_use]
    pub fn into_status(self) -> Status {
        let mut room = MOST_BYTES;
        let fitting = self.faults.iter().take(MOST_FAULTS).take_while(|fault| {
            let left = room.checked_sub(fault.bytes());
            room = left.unwrap_or(0);
            left.is_some()
        });
        let named = fitting.count();
        let more = self.faults.len() - named;
        let mut message = String::new();
        let mut details = ErrorDetails::new();
        for fault in self.faults.into_iter().take(named) {
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

impl Fault {
    /// The most bytes that it takes in trailers: percent-encoded in the message; in base64 in the details, which repeat
    /// the message.
    fn bytes(&self) -> usize {
        let plain = self.spoken.bytes().filter(u8::is_ascii_alphanumeric).count();
        let said = 3 * (self.spoken.len() + 2) - 2 * plain;
        said + (self.spoken.len() + 2 + self.field.len() + self.text.len() + 12) * 4 / 3
    }
}

/// Ends the sentence before, where there is one that has no full stop yet.
fn begin_sentence(message: &mut String) {
    if !message.is_empty() {
        message.push_str(if message.ends_with('.') { " " } else { ". " });
    }
}
