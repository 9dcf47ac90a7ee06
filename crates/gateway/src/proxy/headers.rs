//! The headers of what is sent on and of what comes back.
//!
//! What it leaves to others: which cookies are ours (the door). Rules: what speaks of one connection stays on it
//! (RFC 9110, section 7.6.1); what speaks of who asks or where from is ours to say; our credentials go no further.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version, header, request, response, uri::PathAndQuery};
use rpc::{PeerInfo, RequestId};

use crate::http_door::{Door, Identity, Trouble};

/// What speaks of one connection only.
const OF_A_CONNECTION: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What else a request leaves behind. The length is told anew by whoever writes the body.
const OF_A_REQUEST: &[&str] = &[
    "content-length",
    "expect",
    "forwarded",
    "host",
    "trailer",
    "x-real-ip",
    "x-request-id",
];

/// What a service may not say for the whole origin, where the next one's answers come from too.
const OF_AN_ORIGIN: &[&str] = &[
    "alt-svc",
    "clear-site-data",
    "public-key-pins",
    "service-worker-allowed",
    "strict-transport-security",
];

/// How names of headers begin that only we may send, with `_` written as `-`: there are programs that take one for
/// the other.
const OURS: &[&str] = &["x-soke-", "x-forwarded-"];

const USER: HeaderName = HeaderName::from_static("x-soke-user");
const USER_ID: HeaderName = HeaderName::from_static("x-soke-user-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The head of a request as the service gets it.
pub(super) fn outgoing(
    head: request::Parts,
    identity: &Identity,
    peer: Option<&PeerInfo>,
    door: &dyn Door,
    upgrades: bool,
) -> Result<request::Parts, Trouble> {
    let host = host_of(&head)?;
    let trailers = head.headers.get_all(header::TE).iter();
    let trailers = trailers
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.trim().eq_ignore_ascii_case("trailers"));
    let target = head.uri.into_parts().path_and_query;
    let target = target.unwrap_or(PathAndQuery::from_static("/"));
    let mut headers = without(head.headers, OF_A_CONNECTION);
    remove_where(&mut headers, is_ours);
    cookies(&mut headers, door);
    authorization(&mut headers);
    let id = RequestId::fresh();
    let name = HeaderValue::from_str(&identity.name).map_err(|_unspeakable| Trouble::Ambiguous)?;
    let user = HeaderValue::from_str(&identity.user.to_string());
    let address = peer.map(|peer| peer.address.ip().to_canonical().to_string());
    let address = address.and_then(|text| HeaderValue::from_str(&text).ok());
    let tls = peer.is_some_and(|peer| peer.tls);
    let says = [
        (header::HOST, Some(host.clone())),
        (USER, Some(name)),
        (USER_ID, user.ok()),
        (REQUEST_ID, HeaderValue::from_str(id.as_str()).ok()),
        (FORWARDED_FOR, address),
        (FORWARDED_HOST, Some(host)),
        (
            FORWARDED_PROTO,
            Some(HeaderValue::from_static(if tls { "https" } else { "http" })),
        ),
        (header::TE, trailers.then(|| HeaderValue::from_static("trailers"))),
        (
            header::UPGRADE,
            upgrades.then(|| HeaderValue::from_static("websocket")),
        ),
    ];
    for (name, value) in says {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
    if upgrades {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    } else if trailers {
        headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
    }
    let mut sent = http::Request::new(()).into_parts().0;
    sent.method = head.method;
    sent.uri = Uri::from(target);
    sent.version = Version::HTTP_11;
    sent.headers = headers;
    Ok(sent)
}

/// The head of an answer as the client gets it.
pub(super) fn incoming(head: response::Parts, door: &dyn Door) -> response::Parts {
    let chunked = head.headers.contains_key(header::TRANSFER_ENCODING);
    let mut headers = without(head.headers, OF_A_CONNECTION);
    if chunked {
        headers.remove(header::CONTENT_LENGTH);
    }
    for name in OF_AN_ORIGIN {
        headers.remove(*name);
    }
    remove_where(&mut headers, |name| name.as_str().starts_with("x-soke-"));
    if headers.contains_key(header::SET_COOKIE) {
        let sets: Vec<_> = headers.get_all(header::SET_COOKIE).iter().cloned().collect();
        headers.remove(header::SET_COOKIE);
        for set in sets {
            if !door.owns_cookie(&cookie_name(set.as_bytes())) {
                headers.append(header::SET_COOKIE, set);
            }
        }
    }
    let mut given = http::Response::new(()).into_parts().0;
    given.status = head.status;
    given.headers = headers;
    given
}

/// The host that was asked for, once checked: it is the service's too, so that its links and its own checks of
/// where a page comes from fit what the browser sees.
fn host_of(head: &request::Parts) -> Result<HeaderValue, Trouble> {
    let authority = head.uri.authority().map(|asked| asked.as_str());
    match (authority, head.headers.get(header::HOST)) {
        (Some(asked), _) => HeaderValue::from_str(asked).map_err(|_unspeakable| Trouble::HostMalformed),
        (None, Some(host)) => Ok(host.clone()),
        (None, None) => Err(Trouble::HostMalformed),
    }
}

/// Headers without those, and without those that `Connection` names.
fn without(mut headers: HeaderMap, names: &[&str]) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in &named {
        headers.remove(name);
    }
    for name in names {
        headers.remove(*name);
    }
    headers
}

fn remove_where(headers: &mut HeaderMap, which: impl Fn(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| which(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

fn is_ours(name: &HeaderName) -> bool {
    let written = name.as_str().replace('_', "-");
    OURS.iter().any(|ours| written.starts_with(ours))
        || OF_A_REQUEST.contains(&written.as_str())
        || OF_A_CONNECTION.contains(&written.as_str())
}

/// Leaves the service's own cookies, in one line and in their order.
fn cookies(headers: &mut HeaderMap, door: &dyn Door) {
    let mut left: Vec<u8> = Vec::new();
    for line in headers.get_all(header::COOKIE) {
        for cookie in line.as_bytes().split(|byte| *byte == b';') {
            let cookie = cookie.trim_ascii();
            if !cookie.is_empty() && !door.owns_cookie(&cookie_name(cookie)) {
                let between: &[u8] = if left.is_empty() { b"" } else { b"; " };
                left.extend_from_slice(between);
                left.extend_from_slice(cookie);
            }
        }
    }
    headers.remove(header::COOKIE);
    if !left.is_empty()
        && let Ok(line) = HeaderValue::from_bytes(&left)
    {
        headers.insert(header::COOKIE, line);
    }
}

/// What stands before the `=`.
fn cookie_name(cookie: &[u8]) -> String {
    let name = cookie.split(|byte| *byte == b'=' || *byte == b';').next();
    String::from_utf8_lossy(name.unwrap_or_default().trim_ascii()).into_owned()
}

/// Leaves one `Authorization` of a scheme that is never ours.
fn authorization(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let first = lines.next().map(HeaderValue::as_bytes).unwrap_or_default();
    let scheme = first.split(|byte| *byte == b' ').next().unwrap_or_default();
    let theirs = [&b"basic"[..], b"digest"]
        .iter()
        .any(|name| scheme.eq_ignore_ascii_case(name));
    if !theirs || lines.next().is_some() {
        headers.remove(header::AUTHORIZATION);
    }
}

#[cfg(test)]
mod tests;
