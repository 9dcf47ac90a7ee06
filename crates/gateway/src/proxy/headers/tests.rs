//! Which headers go on, which stay, and which are said anew.

use std::sync::Arc;

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, request};
use model::{Timestamp, UserId};
use rpc::PeerInfo;
use tonic::body::Body;

use super::{incoming, outgoing};
use crate::http_door::{Answer, Door, Identity, Trouble};

struct Ours;

impl Door for Ours {
    fn answer<'a>(&'a self, _head: &'a request::Parts) -> BoxFuture<'a, Answer> {
        unreachable!("nobody asks")
    }

    fn trouble(&self, _trouble: Trouble) -> Response<Body> {
        unreachable!("nobody asks")
    }

    fn owns_cookie(&self, name: &str) -> bool {
        name.to_ascii_lowercase().starts_with("ours_")
    }
}

fn sent(target: &str, lines: &[(&str, &str)]) -> request::Parts {
    let mut request = Request::get(target);
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    let identity = Identity {
        user: UserId::fresh(Timestamp::from_secs(1)),
        name: "ada".to_owned(),
    };
    let peer = PeerInfo {
        address: "192.0.2.9:5".parse().unwrap(),
        local: "192.0.2.7:80".parse().unwrap(),
        tls: false,
        server_name: None,
        certificates: Arc::default(),
    };
    let (head, ()) = request.body(()).unwrap().into_parts();
    outgoing(head, &identity, Some(&peer), &Ours, false).unwrap()
}

fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let values = headers.get_all(name).iter();
    values.map(|value| value.to_str().unwrap()).collect()
}

#[test]
fn g06_the_target_goes_on_byte_for_byte() {
    for target in [
        "/",
        "/?",
        "/a;b=c/%2F%2e%2E/.././/x//?q=1;2&&a=%20+?",
        "//a//",
        "/a\\b",
        "/{x}|\"^",
    ] {
        let head = sent(target, &[("host", "zone")]);
        assert_eq!(head.uri.to_string(), target);
        let absolute = format!("http://zone{target}");
        assert_eq!(sent(&absolute, &[]).uri.to_string(), target);
    }
    assert_eq!(sent("*", &[("host", "zone")]).uri.to_string(), "*");
}

#[test]
fn w10_our_credentials_stay_behind_and_others_go_on() {
    for (cookie, left) in [
        ("ours_1=canary", None),
        ("a=b; ours_1=canary; c=d", Some("a=b; c=d")),
        ("OURS_1=canary;a=b", Some("a=b")),
        (" ours_1 =canary ;; a=b;", Some("a=b")),
        ("a=b; ours_1", Some("a=b")),
        ("a=ours_1", Some("a=ours_1")),
        ("a=\"x; ours_1=canary\"", Some("a=\"x")),
    ] {
        let head = sent("/", &[("host", "zone"), ("cookie", cookie)]);
        let wanted: Vec<&str> = left.into_iter().collect();
        assert_eq!(all(&head.headers, "cookie"), wanted, "{cookie}");
    }
    let head = sent(
        "/",
        &[
            ("host", "zone"),
            ("cookie", "ours_1=canary"),
            ("cookie", "a=b"),
            ("cookie", "c=d"),
        ],
    );
    assert_eq!(all(&head.headers, "cookie"), ["a=b; c=d"]);
    for (values, goes) in [
        (&["Basic YTpi"][..], true),
        (&["digest a=b"], true),
        (&["Bearer canary"], false),
        (&["bearer canary"], false),
        (&["Bearer\tcanary"], false),
        (&["canary"], false),
        (&["Basic YTpi", "Bearer canary"], false),
    ] {
        let mut lines = vec![("host", "zone")];
        lines.extend(values.iter().map(|value| ("authorization", *value)));
        let head = sent("/", &lines);
        assert_eq!(head.headers.contains_key("authorization"), goes, "{values:?}");
    }
}

#[test]
fn g05_nobody_else_says_who_asks_or_where_from() {
    let head = sent(
        "/",
        &[
            ("host", "zone:8080"),
            ("connection", "close, x-soke-user, x-forwarded-for, host"),
            ("X-Soke-User", "eve"),
            ("x-soke-user", "mallory"),
            ("x_soke_user", "eve"),
            ("X-Soke_User-Id", "1"),
            ("x-soke-role", "owner"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x_forwarded_for", "10.0.0.1"),
            ("x-forwarded-prefix", "/x"),
            ("forwarded", "for=10.0.0.1"),
            ("x-real-ip", "10.0.0.1"),
            ("x-request-id", "mine"),
        ],
    );
    let headers = &head.headers;
    assert_eq!(all(headers, "x-soke-user"), ["ada"]);
    assert_eq!(all(headers, "x-forwarded-for"), ["192.0.2.9"]);
    assert_eq!(all(headers, "x-forwarded-host"), ["zone:8080"]);
    assert_eq!(all(headers, "x-forwarded-proto"), ["http"]);
    assert_eq!(all(headers, "host"), ["zone:8080"]);
    assert_ne!(all(headers, "x-request-id"), ["mine"]);
    let mut names: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "host",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-request-id",
            "x-soke-user",
            "x-soke-user-id"
        ]
    );
}

#[test]
fn what_speaks_of_one_connection_stays_on_it() {
    let head = sent(
        "/",
        &[
            ("host", "zone"),
            ("connection", "keep-alive, x-hop"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic canary"),
            ("transfer-encoding", "chunked"),
            ("transfer_encoding", "chunked"),
            ("content_length", "7"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
            ("x-hop", "1"),
            ("x-kept", "1"),
            ("te", "trailers"),
        ],
    );
    for gone in [
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "transfer-encoding",
        "transfer_encoding",
        "content_length",
        "upgrade",
        "expect",
        "x-hop",
    ] {
        assert!(!head.headers.contains_key(gone), "{gone}");
    }
    assert_eq!(all(&head.headers, "x-kept"), ["1"]);
    assert_eq!(all(&head.headers, "te"), ["trailers"]);
    assert_eq!(all(&head.headers, "connection"), ["te"]);
}

#[test]
fn g18_an_answer_can_neither_set_our_cookie_nor_speak_for_the_origin() {
    let response = Response::builder()
        .header("set-cookie", "ours_1=stolen; Path=/")
        .header("set-cookie", "a=b; Path=/")
        .header("set-cookie", " OURS_2 = x")
        .header("strict-transport-security", "max-age=1")
        .header("clear-site-data", "\"cookies\"")
        .header("service-worker-allowed", "/")
        .header("alt-svc", "h3=\":1\"")
        .header("connection", "close, x-hop")
        .header("x-hop", "1")
        .header("content-length", "5")
        .header("location", "/elsewhere")
        .body(())
        .unwrap();
    let head = incoming(response.into_parts().0, &Ours);
    assert_eq!(all(&head.headers, "set-cookie"), ["a=b; Path=/"]);
    let mut names: Vec<_> = head.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "location", "set-cookie"]);
}
