//! The request: method, parameters, and `sys` with sequence number, token and trace id.
//!
//! What it leaves to others: what a method wants in its parameters.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::Value;

/// A call. Its `Debug` text shows neither the token nor the parameters: both may hold secrets.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// The method's name, as sent.
    pub method: String,
    /// The parameters: usually an object, or null.
    pub params: Value,
    /// The sequence number, which the response repeats.
    pub seq: u64,
    /// The session token; a secret.
    pub token: Option<String>,
    /// The trace id.
    pub trace: Option<String>,
}

/// What a response repeats of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo {
    /// The sequence number.
    pub seq: u64,
    /// The trace id, where the request carried one and the service repeats it.
    pub trace: Option<String>,
}

/// Says that a body is no request. It never holds what was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// The body is no UTF-8.
    #[error("read the request: the body is no UTF-8 text")]
    NotText,
    /// The body is no JSON.
    #[error("read the request: the body is no JSON, line {line} column {column}")]
    NotJson {
        /// The line of the fault, from 1.
        line: usize,
        /// Its column.
        column: usize,
    },
    /// The body is JSON of another shape.
    #[error(
        "read the request: want an object with `method` (text), `params` (anything) and, if at all, `sys` \
         ([number, text or null, text or null]); the fault is at line {line} column {column}"
    )]
    Shape {
        /// The line of the fault, from 1.
        line: usize,
        /// Its column.
        column: usize,
    },
}

#[derive(Deserialize)]
struct Body {
    method: String,
    params: Value,
    #[serde(default)]
    sys: Sys,
}

#[derive(Default)]
struct Sys {
    seq: u64,
    token: Option<String>,
    trace: Option<String>,
}

impl<'de> Deserialize<'de> for Sys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;

        impl<'de> Visitor<'de> for Elements {
            type Value = Sys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of at most three elements")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Sys, A::Error> {
                let sys = Sys {
                    seq: elements.next_element()?.unwrap_or(0),
                    token: elements.next_element()?.flatten(),
                    trace: elements.next_element()?.flatten(),
                };
                match elements.next_element::<IgnoredAny>()? {
                    None => Ok(sys),
                    Some(_fourth) => Err(A::Error::custom("a fourth element")),
                }
            }
        }

        deserializer.deserialize_seq(Elements)
    }
}

impl Request {
    /// A call of `method` without token and trace id.
    #[must_use]
    pub fn new(method: impl Into<String>, params: Value, seq: u64) -> Self {
        Self {
            method: method.into(),
            params,
            seq,
            token: None,
            trace: None,
        }
    }

    /// The same call with a session token.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// The same call with a trace id.
    #[must_use]
    pub fn with_trace(mut self, trace: impl Into<String>) -> Self {
        self.trace = Some(trace.into());
        self
    }

    /// Reads a body: `method` and `params` must be there, `sys` may be; other members are passed over, members
    /// that stand twice are not.
    ///
    /// # Errors
    /// [`BadRequest`] says where the fault is.
    pub fn parse(body: &[u8]) -> Result<Self, BadRequest> {
        let text = std::str::from_utf8(body).map_err(|_not_utf8| BadRequest::NotText)?;
        let read: Result<Body, serde_json::Error> = serde_json::from_str(text);
        let body = read.map_err(|fault| {
            let (line, column) = (fault.line(), fault.column());
            if fault.is_data() {
                BadRequest::Shape { line, column }
            } else {
                BadRequest::NotJson { line, column }
            }
        })?;
        let Sys { seq, token, trace } = body.sys;
        Ok(Self {
            method: body.method,
            params: body.params,
            seq,
            token,
            trace,
        })
    }

    /// The call as a body, with no more elements in `sys` than it needs.
    #[must_use]
    pub fn to_body(&self) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Sys<'a> {
            Seq([u64; 1]),
            Token(u64, &'a str),
            Trace(u64, Option<&'a str>, &'a str),
        }
        #[derive(Serialize)]
        struct Body<'a> {
            method: &'a str,
            params: &'a Value,
            sys: Sys<'a>,
        }
        let sys = match (self.token.as_deref(), self.trace.as_deref()) {
            (None, None) => Sys::Seq([self.seq]),
            (Some(token), None) => Sys::Token(self.seq, token),
            (token, Some(trace)) => Sys::Trace(self.seq, token, trace),
        };
        let body = Body {
            method: &self.method,
            params: &self.params,
            sys,
        };
        serde_json::to_vec(&body).expect("texts, numbers and JSON values are JSON")
    }

    /// What the response to this call repeats: the sequence number, and the trace id where one was sent.
    #[must_use]
    pub fn echo(&self) -> Echo {
        Echo {
            seq: self.seq,
            trace: self.trace.clone(),
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("seq", &self.seq)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
