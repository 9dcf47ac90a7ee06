//! What is written in headers: deadlines, metadata and statuses.
//!
//! What it leaves to others: bytes of bodies ([`super`]).

use std::{
    pin::pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};
use model::ErrorKind;
use tasks::Clock;
use tonic::{
    Code, Status,
    body::Body,
    metadata::{BinaryMetadataValue, KeyAndValueRef, MetadataMap},
    service::Routes,
};
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;

use crate::{CallLimits, Calls, Deadline, RequestId, bearer, deadline, details, gzip, path};

/// What many clients take of trailers in all, in bytes.
const TRAILERS: usize = 8 * 1024;

/// The value of a `grpc-timeout` header; the same bytes as a length of time that is said as one.
pub fn timeout(input: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(input) {
        let headers = HeaderMap::from_iter([(HeaderName::from_static("grpc-timeout"), value)]);
        let read = Deadline::of(&headers, &Clock::system());
        assert_eq!(read.is_ok(), is_timeout(input));
    }
    let Some((secs, rest)) = input.split_first_chunk() else {
        return;
    };
    let Some((nanos, _)) = rest.split_first_chunk() else {
        return;
    };
    let left = Duration::new(
        u64::from_be_bytes(*secs),
        u32::from_be_bytes(*nanos) % 1_000_000_000,
    );
    let said = deadline::header_value(left);
    assert!(is_timeout(said.as_bytes()), "{said:?}");
    let read = said.to_str().ok().and_then(deadline::timeout);
    let read = read.expect("it has the grammar of one");
    let longest = Duration::from_secs(99_999_999);
    assert!(read <= left, "{said:?} for {left:?}");
    assert!(
        left > longest || left - read <= Duration::from_secs(1),
        "{said:?} for {left:?}"
    );
}

/// The grammar of the header, letter by letter.
fn is_timeout(value: &[u8]) -> bool {
    match value {
        [digits @ .., b'H' | b'M' | b'S' | b'm' | b'u' | b'n'] => {
            (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

/// A path on the first line, and a header on each of the others.
pub fn metadata(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let asked = lines.next().unwrap_or_default();
    let headers = headers(lines);
    let metadata = MetadataMap::from_headers(headers.clone());
    for entry in metadata.iter() {
        if let KeyAndValueRef::Binary(_, value) = entry
            && let Ok(bytes) = value.to_bytes()
        {
            let again = BinaryMetadataValue::from_bytes(&bytes);
            assert_eq!(again.to_bytes().expect("it is its own writing"), bytes);
        }
    }
    if let Ok(Some(token)) = bearer(&metadata) {
        let values = headers.get_all(header::AUTHORIZATION).iter();
        let values: Vec<_> = values.map(HeaderValue::as_bytes).collect();
        let token = token.expose().as_bytes();
        assert!(values.len() == 1 && values[0].trim_ascii_end().ends_with(token));
        assert!(!token.is_empty() && token.iter().all(u8::is_ascii_graphic));
    }
    // Reading them is all that there is to it.
    gzip::encoding(&headers);
    gzip::is_accepted(&headers);
    let Ok(asked) = std::str::from_utf8(asked) else {
        return;
    };
    let uri = asked.parse::<Uri>().ok();
    let path = uri.as_ref().and_then(Uri::path_and_query);
    let path = path.map(|path| path.as_str().to_owned());
    if path::names_a_method(asked) {
        assert_eq!(path.as_deref(), Some(asked));
    }
    if let Some(uri) = uri {
        ask(uri, headers, path.is_some_and(|path| path::names_a_method(&path)));
    }
}

/// Makes the call, to a server without any service.
fn ask(uri: Uri, headers: HeaderMap, named: bool) {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("the system gives a runtime")
    });
    let _entered = RUNTIME.enter();
    let mut request = Request::post(uri).body(Body::empty()).expect("a path is enough");
    *request.headers_mut() = headers;
    let kind = HeaderValue::from_static("application/grpc");
    let kind = request.headers_mut().entry(header::CONTENT_TYPE).or_insert(kind);
    let is_grpc = kind.as_bytes() == b"application/grpc";
    let calls = Calls::new(Routes::default(), CallLimits::default());
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(answer)) = pin!(calls.oneshot(request)).poll(&mut cx) else {
        panic!("a call that nobody answers is waited for");
    };
    let said = answer.headers();
    assert_eq!(said.get_all(RequestId::HEADER).iter().count(), 1);
    let status = Status::from_header_map(said);
    let refused = status.as_ref().is_some_and(|status| status.code() != Code::Ok);
    assert!(refused || answer.status().is_client_error(), "{answer:?}");
    let is_unimplemented = status.is_some_and(|status| status.code() == Code::Unimplemented);
    assert!(!is_grpc || named || is_unimplemented, "{answer:?}");
}

/// The headers on these lines that are any.
fn headers<'a>(lines: impl Iterator<Item = &'a [u8]>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        if let Ok(name) = HeaderName::from_bytes(&line[..colon])
            && let Ok(value) = HeaderValue::from_bytes(line[colon + 1..].trim_ascii())
        {
            headers.append(name, value);
        }
    }
    headers
}

/// Trailers on lines, as a server says them; the same bytes as a message and as faults that this side says.
pub fn status(input: &[u8]) {
    let mut trailers = headers(input.split(|byte| *byte == b'\n'));
    details::check(&mut trailers);
    if let Some(status) = Status::from_header_map(&trailers) {
        // What is in the details may be anything; it is read, or it is none.
        drop(status.check_error_details());
        drop(status.check_error_details_vec());
        same(&status);
    }
    let text = String::from_utf8_lossy(input);
    for kind in ErrorKind::ALL {
        let status = wire::status(kind, text.as_ref());
        same(&status);
        assert!(kind == ErrorKind::Internal || text.starts_with(status.message().trim_end_matches("...")));
    }
    let mut faults = wire::FieldFaults::new();
    for line in text.lines() {
        let (field, wrong) = line.split_once(':').unwrap_or((line, ""));
        faults.add(field, wrong, field);
    }
    let status = faults.into_status();
    same(&status);
    let trailers = trailers_of(&status);
    let length: usize = trailers.values().map(HeaderValue::len).sum();
    assert!(length < TRAILERS, "{length} bytes");
    let details = status.get_error_details();
    let named = details.bad_request().map_or(0, |bad| bad.field_violations.len());
    let given = text.lines().count();
    assert!(named <= given.min(8) && (named > 0 || given == 0));
}

fn trailers_of(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    let added = status.add_header(&mut trailers);
    added.expect("every status can be said");
    trailers
}

/// Holds a status to what is read from the trailers that say it.
fn same(status: &Status) {
    let again = Status::from_header_map(&trailers_of(status)).expect("it is a status");
    assert_eq!(again.code(), status.code());
    assert_eq!(again.message(), status.message());
    assert_eq!(again.details(), status.details());
}
