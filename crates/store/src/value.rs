//! Values that go into statements and come out of rows: integers, texts, booleans, and nothing else.
//!
//! What it leaves to others: what the values mean. Binary is kept as hex or base64 text by those who have it.

use model::{Id, Money, Name, Span, Timestamp};

use crate::Error;

/// One parameter of a statement or one column of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// No value.
    Null,
    /// A BIGINT.
    Int(i64),
    /// A TEXT without NUL characters.
    Text(String),
    /// A BOOLEAN.
    Bool(bool),
}

impl Value {
    const fn word(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Int(_) => "an integer",
            Value::Text(_) => "a text",
            Value::Bool(_) => "a boolean",
        }
    }
}

/// Makes the parameters of a statement: `params![id, "text", 5_i64]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::Value::from($value)),*] as &[$crate::Value]
    };
}

macro_rules! from_integer {
    ($($type:ty),*) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Value::Int(i64::from(value))
            }
        })*
    };
}

from_integer!(i64, u32, i32, u16, u8);

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Text(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Value::Text(value.clone())
    }
}

impl From<&Name> for Value {
    fn from(value: &Name) -> Self {
        Value::Text(value.as_str().to_owned())
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Value::Int(value.micros())
    }
}

impl From<Span> for Value {
    fn from(value: Span) -> Self {
        Value::Int(value.micros())
    }
}

impl From<Money> for Value {
    fn from(value: Money) -> Self {
        Value::Int(value.ten_thousandths())
    }
}

impl<K> From<Id<K>> for Value {
    fn from(value: Id<K>) -> Self {
        Value::Text(value.to_string())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// One row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    values: Vec<Value>,
}

impl Row {
    pub(crate) const fn new(values: Vec<Value>) -> Self {
        Self { values }
    }

    /// Reads the column at `column`, counted from 0.
    ///
    /// # Errors
    /// Internal: there is no such column, or it holds something else.
    pub fn get<T: FromValue>(&self, column: usize) -> Result<T, Error> {
        let value = self.values.get(column).ok_or_else(|| Error::Column {
            column,
            wanted: T::WANTED,
            found: format!("a row of {} columns", self.values.len()),
        })?;
        T::from_value(value).ok_or_else(|| Error::Column {
            column,
            wanted: T::WANTED,
            found: value.word().to_owned(),
        })
    }
}

/// A type that a column can be read as.
pub trait FromValue: Sized {
    /// What the column must hold, for the error text.
    const WANTED: &'static str;

    /// Takes the value, where it fits.
    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for i64 {
    const WANTED: &'static str = "an integer";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Int(value) => Some(*value),
            Value::Null | Value::Text(_) | Value::Bool(_) => None,
        }
    }
}

macro_rules! to_integer {
    ($($type:ty => $wanted:literal),*) => {
        $(impl FromValue for $type {
            const WANTED: &'static str = $wanted;

            fn from_value(value: &Value) -> Option<Self> {
                i64::from_value(value).and_then(|value| <$type>::try_from(value).ok())
            }
        })*
    };
}

to_integer!(
    u64 => "an integer from 0",
    u32 => "an integer of 32 bits from 0",
    i32 => "an integer of 32 bits",
    u16 => "an integer of 16 bits from 0",
    u8 => "an integer from 0 to 255"
);

/// SQLite keeps a boolean as 0 or 1, so these two count as booleans.
impl FromValue for bool {
    const WANTED: &'static str = "a boolean";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(*value),
            Value::Int(0) => Some(false),
            Value::Int(1) => Some(true),
            Value::Null | Value::Int(_) | Value::Text(_) => None,
        }
    }
}

impl FromValue for String {
    const WANTED: &'static str = "a text";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(value) => Some(value.clone()),
            Value::Null | Value::Int(_) | Value::Bool(_) => None,
        }
    }
}

impl FromValue for Name {
    const WANTED: &'static str = "a name";

    fn from_value(value: &Value) -> Option<Self> {
        String::from_value(value).and_then(|text| Name::imported(&text).ok())
    }
}

impl<K> FromValue for Id<K> {
    const WANTED: &'static str = "an id";

    fn from_value(value: &Value) -> Option<Self> {
        String::from_value(value).and_then(|text| text.parse().ok())
    }
}

impl FromValue for Timestamp {
    const WANTED: &'static str = "an instant in microseconds";

    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value).map(Timestamp::from_micros)
    }
}

impl FromValue for Span {
    const WANTED: &'static str = "a length in microseconds";

    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value).map(Span::from_micros)
    }
}

impl FromValue for Money {
    const WANTED: &'static str = "an amount in ten-thousandths";

    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value).map(Money::from_ten_thousandths)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const WANTED: &'static str = T::WANTED;

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            Value::Int(_) | Value::Text(_) | Value::Bool(_) => T::from_value(value).map(Some),
        }
    }
}

#[cfg(test)]
mod tests;
