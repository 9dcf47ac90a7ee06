//! Parameters with types: what is missing and what has the wrong type is an answer.
//!
//! What it leaves to others: what a method does without a parameter.

use krpc::{Class, Failure, Request};
use serde_json::{Map, Value};

/// The parameters of a call, known to be an object.
pub(crate) struct Params<'a>(&'a Map<String, Value>);

impl<'a> Params<'a> {
    /// Takes the parameters of a call; `called` names it in the refusal.
    pub(crate) fn of(request: &'a Request, called: &str) -> Result<Self, Failure> {
        let object = request.params.as_object();
        object.map(Self).ok_or_else(|| {
            let text = format!("Expected object params for {called}");
            Failure::new(Class::ParseRequest, text)
        })
    }

    /// A text; none where it is missing or null.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<&'a str>, Failure> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(name, "a text", other)),
        }
    }

    /// A text that must be there; the refusal is a reason, as the contract has it.
    pub(crate) fn needed(&self, name: &'static str) -> Result<&'a str, Failure> {
        self.text(name)?
            .ok_or_else(|| Failure::reason(format!("Missing {name}")))
    }

    /// A text that must be there and not empty; the refusal is a parse error.
    pub(crate) fn required(&self, name: &'static str) -> Result<&'a str, Failure> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| Failure::new(Class::ParseRequest, format!("Missing {name}")))
    }

    /// Any value; none where it is missing or null.
    pub(crate) fn any(&self, name: &'static str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A whole number from 0; none where it is missing or null.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<u64>, Failure> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) => Ok(Some(number)),
                None => Err(wrong(name, "a whole number from 0", value)),
            },
        }
    }
}

pub(crate) fn wrong(name: &str, wanted: &str, found: &Value) -> Failure {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let text = format!("`{name}` is {found}, want {wanted}");
    Failure::new(Class::ParseRequest, text)
}
