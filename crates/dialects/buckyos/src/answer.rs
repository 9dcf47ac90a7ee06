//! HTTP answers: JSON for replies, plain text for what never became a call, nothing where there is no route.
//!
//! Section 3 of the contract on kRPC. What it leaves to others: which one it is (`door`).

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use tonic::body::Body;

/// The most characters of a caller's own word that an answer repeats.
const MOST_REPEATED: usize = 128;

/// A reply of a service.
pub(crate) fn json(body: Vec<u8>) -> Response<Body> {
    dressed(StatusCode::OK, "application/json", Bytes::from(body))
}

/// A line of text.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    dressed(status, "text/plain; charset=utf-8", Bytes::from(text.into()))
}

/// The answer where there is no route: 403 without a body.
pub(crate) fn no_route() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

/// A caller's word as it may be repeated.
pub(crate) fn repeated(word: &str) -> String {
    word.chars().take(MOST_REPEATED).collect()
}

fn dressed(status: StatusCode, kind: &'static str, bytes: Bytes) -> Response<Body> {
    let length = HeaderValue::from(bytes.len());
    let mut response = Response::new(Body::new(Full::new(bytes)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
