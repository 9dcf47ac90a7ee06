//! The response: a result or an error, under what the request wants repeated.
//!
//! What it leaves to others: the HTTP status, which is 200 for both.

use serde::Serialize;
use serde_json::Value;

use crate::{Echo, Failure};

/// What a method answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The result or the failure.
    pub result: Result<Value, Failure>,
    /// The revision that a write has made: a member of its own beside `result`, which older clients pass over.
    pub revision: Option<u64>,
}

impl From<Result<Value, Failure>> for Reply {
    fn from(result: Result<Value, Failure>) -> Self {
        Self {
            result,
            revision: None,
        }
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        Self::from(Err(failure))
    }
}

impl Reply {
    /// A result.
    #[must_use]
    pub const fn of(result: Value) -> Self {
        Self {
            result: Ok(result),
            revision: None,
        }
    }

    /// The result of a write: null, and the revision it has made.
    #[must_use]
    pub const fn written(revision: u64) -> Self {
        Self {
            result: Ok(Value::Null),
            revision: Some(revision),
        }
    }

    /// The reply as a body: `sys` has the sequence number, and the trace id where there is one to repeat.
    #[must_use]
    pub fn to_body(&self, echo: &Echo) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Sys<'a> {
            Seq([u64; 1]),
            Trace(u64, &'a str),
        }
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            result: Option<&'a Value>,
            #[serde(skip_serializing_if = "Option::is_none")]
            error: Option<String>,
            sys: Sys<'a>,
            #[serde(skip_serializing_if = "Option::is_none")]
            code: Option<&'static str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            revision: Option<u64>,
        }
        let failure = self.result.as_ref().err();
        let body = Body {
            result: self.result.as_ref().ok(),
            error: failure.map(Failure::to_string),
            sys: echo
                .trace
                .as_deref()
                .map_or(Sys::Seq([echo.seq]), |trace| Sys::Trace(echo.seq, trace)),
            code: failure.map(|failure| failure.class.code()),
            revision: self.revision,
        };
        serde_json::to_vec(&body).expect("texts, numbers and JSON values are JSON")
    }
}

/// Says that a body is no reply to the call that was made. It never holds what was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadReply {
    /// The body is no JSON object.
    #[error("read the reply: the body is no JSON object")]
    NotObject,
    /// `sys` is missing, is no array, or holds other types than it should.
    #[error("read the reply: want `sys` as [number] or [number, text]")]
    Sys,
    /// The sequence number is another one than the call's.
    #[error("read the reply: the call had the sequence number {sent} and the reply has {got}")]
    Sequence {
        /// The number of the call.
        sent: u64,
        /// The number of the reply.
        got: u64,
    },
    /// `error` is there and is no text.
    #[error("read the reply: want `error` as a text")]
    Error,
    /// There is neither a result nor an error.
    #[error("read the reply: it has neither `result` nor `error`")]
    Empty,
}

/// Reads the reply to the call with this sequence number.
///
/// # Errors
/// [`BadReply`] where it is no reply to that call. A failure of the method is a reply.
pub fn read_reply(body: &[u8], seq: u64) -> Result<Reply, BadReply> {
    let read: Result<Value, serde_json::Error> = serde_json::from_slice(body);
    let Ok(Value::Object(mut members)) = read else {
        return Err(BadReply::NotObject);
    };
    let sys = members
        .get("sys")
        .and_then(Value::as_array)
        .ok_or(BadReply::Sys)?;
    let got = sys.first().and_then(Value::as_u64).ok_or(BadReply::Sys)?;
    if sys.get(1).is_some_and(|trace| !trace.is_string()) {
        return Err(BadReply::Sys);
    }
    if got != seq {
        return Err(BadReply::Sequence { sent: seq, got });
    }
    let revision = members.get("revision").and_then(Value::as_u64);
    if let Some(error) = members.get("error") {
        let text = error.as_str().ok_or(BadReply::Error)?;
        return Ok(Reply::from(Failure::parse(text)));
    }
    let result = members.remove("result").ok_or(BadReply::Empty)?;
    Ok(Reply {
        result: Ok(result),
        revision,
    })
}

#[cfg(test)]
mod tests;
