//! The small JSON answers: one object with one text, in the bytes of the gateway that clients know.
//!
//! Section 2 of the contract: keys sorted, no spaces, no line break at the end, and `<`, `>` and `&` escaped. What it
//! leaves to others: which one it is.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use tonic::body::Body;

/// `{"msg": text}`.
pub(crate) fn msg(status: StatusCode, text: &str) -> Response<Body> {
    object(status, "msg", text)
}

/// `{"err": text}`.
pub(crate) fn err(status: StatusCode, text: &str) -> Response<Body> {
    object(status, "err", text)
}

/// A refusal in the words of this protocol: `{"msg": "[Fail] text"}`.
#[must_use]
pub fn refusal(status: StatusCode, text: &str) -> Response<Body> {
    msg(status, &format!("[Fail] {text}"))
}

fn object(status: StatusCode, key: &str, text: &str) -> Response<Body> {
    let mut object = serde_json::Map::new();
    object.insert(key.to_owned(), text.into());
    let json = serde_json::Value::Object(object).to_string();
    let json = json
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026");
    let length = HeaderValue::from(json.len());
    let mut response = Response::new(Body::new(Full::new(Bytes::from(json))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length);
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
