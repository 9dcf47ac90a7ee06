//! The fields of a management request: read one by one, judged together.
//!
//! A field at fault takes a value that stands for it until [`Fields::finish`] refuses the request, so that one answer
//! names every fault. What it leaves to others: what a good value means (the slices).

use model::{Money, Timestamp};
use prost_types::Timestamp as Stamp;
use tonic::Status;
use wire::{FieldFaults, scow::common};

use crate::{server::money, text};

/// The most entries of a list that a search goes by.
const MOST: usize = 100;

/// Reads the fields of one request.
#[derive(Default)]
pub(super) struct Fields {
    faults: FieldFaults,
}

impl Fields {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A message-typed field that has to be there (contract of the management side, 2.2).
    pub(super) fn required<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            let sentence = format!("Field {} is undefined.", camel_case(field));
            self.faults.add_sentence(field, sentence);
        }
        value
    }

    /// An amount that has to be there; nothing (zero) where it is at fault.
    pub(super) fn money(&mut self, field: &str, value: Option<&common::Money>) -> Money {
        let Some(value) = self.required(field, value) else {
            return Money::ZERO;
        };
        money::read(value).unwrap_or_else(|fault| {
            self.faults.add(field, fault.what, fault.want);
            Money::ZERO
        })
    }

    /// An instant that has to be there.
    pub(super) fn instant(&mut self, field: &str, value: Option<&Stamp>) -> Timestamp {
        let value = self.required(field, value);
        self.instant_if_set(field, value)
            .unwrap_or_else(|| Timestamp::from_micros(0))
    }

    /// An instant that may be absent.
    pub(super) fn instant_if_set(&mut self, field: &str, value: Option<&Stamp>) -> Option<Timestamp> {
        let instant = text::read_instant(value?);
        self.check(instant.is_some(), field, "is no instant", text::INSTANTS);
        instant
    }

    /// One of an enumeration's values; nothing where the field is absent or at fault.
    pub(super) fn choice<T: TryFrom<i32>>(
        &mut self,
        field: &str,
        value: Option<i32>,
        want: &str,
    ) -> Option<T> {
        let number = value?;
        let choice = T::try_from(number).ok();
        self.check(choice.is_some(), field, &format!("is {number}"), want);
        choice
    }

    /// Adds a fault where `good` does not hold.
    pub(super) fn check(&mut self, good: bool, field: &str, wrong: &str, right: &str) {
        self.faults.check(good, field, wrong, right);
    }

    /// Refuses a list that is longer than a search takes.
    pub(super) fn few<T>(&mut self, field: &str, list: &[T]) {
        let count = list.len();
        self.check(
            count <= MOST,
            field,
            &format!("has {count} entries"),
            &format!("at most {MOST}"),
        );
    }

    /// Ends the reading: INVALID_ARGUMENT with all faults, where there are any.
    pub(super) fn finish(self) -> Result<(), Status> {
        self.faults.finish()
    }
}

/// The name that JavaScript clients give a field of this name.
fn camel_case(field: &str) -> String {
    let mut name = String::with_capacity(field.len());
    let mut raise = false;
    for letter in field.chars() {
        match letter {
            '_' => raise = true,
            letter if raise => {
                name.extend(letter.to_uppercase());
                raise = false;
            }
            letter => name.push(letter),
        }
    }
    name
}

#[cfg(test)]
mod tests;
