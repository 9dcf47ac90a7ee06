//! Tests of the host rules, without a listener.

use std::sync::Arc;

use http::Request;
use rpc::PeerInfo;

use super::{Fault, Hosts, same_origin};

fn hosts() -> Hosts {
    Hosts::new(&["Soke.localhost".to_owned(), "zone.example".to_owned()]).unwrap()
}

fn peer(server_name: Option<&str>) -> PeerInfo {
    PeerInfo {
        address: "192.0.2.7:50000".parse().unwrap(),
        local: "192.0.2.1:7443".parse().unwrap(),
        tls: true,
        server_name: server_name.map(Arc::from),
        certificates: Arc::default(),
    }
}

fn with_host(host: &str) -> Request<()> {
    let mut request = Request::get("/").header("host", host).body(()).unwrap();
    request.extensions_mut().insert(peer(None));
    request
}

#[test]
fn our_names_loopback_and_the_address_of_the_connection_are_ours() {
    for host in [
        "soke.localhost",
        "SOKE.LOCALHOST:7443",
        "soke.localhost.",
        "soke.localhost.:7443",
        "zone.example:443",
        "localhost",
        "127.0.0.1:7443",
        "127.1.2.3",
        "[::1]:7443",
        "[::1]",
        "[0:0:0:0:0:0:0:1]:7443",
        "[::ffff:127.0.0.1]:7443",
        "192.0.2.1:7443",
    ] {
        assert!(hosts().check(&with_host(host)).is_ok(), "{host}");
    }
}

#[test]
fn t11_a_name_that_was_rebound_to_this_machine_is_not_ours() {
    for host in [
        "evil.example",
        "evil.example:7443",
        "soke.localhost.evil.example",
        "evilsoke.localhost",
        "a.soke.localhost",
        "*.localhost",
        "127.0.0.1.evil.example",
        "2130706433",
        "0x7f.1",
        "127.1",
        "192.0.2.2",
        "0.0.0.0",
        "[::]",
    ] {
        let fault = hosts().check(&with_host(host)).unwrap_err();
        assert!(
            matches!(fault, Fault::NotOurs | Fault::Malformed),
            "{host}: {fault:?}"
        );
    }
}

#[test]
fn a_host_that_is_none_or_two_is_malformed() {
    for host in [
        "",
        " ",
        "localhost:",
        "localhost:x",
        "localhost:99999",
        "user@localhost",
        "localhost/x",
        "http://localhost",
        "localhost,evil.example",
        "[::1",
        "::1:7443:9",
        "..",
    ] {
        let fault = hosts().check(&with_host(host)).unwrap_err();
        assert!(
            matches!(fault, Fault::Malformed | Fault::NotOurs),
            "{host}: {fault:?}"
        );
    }
    let two = Request::get("/")
        .header("host", "localhost")
        .header("host", "localhost")
        .body(())
        .unwrap();
    assert_eq!(hosts().check(&two), Err(Fault::Malformed));
    let differ = Request::get("https://evil.example/")
        .header("host", "localhost")
        .body(())
        .unwrap();
    assert_eq!(hosts().check(&differ), Err(Fault::Malformed));
    let none = Request::get("/").body(()).unwrap();
    assert_eq!(hosts().check(&none), Err(Fault::Missing));
}

#[test]
fn g07_the_name_of_the_tls_hello_must_be_ours_too() {
    for (name, fits) in [
        (None, true),
        (Some("soke.localhost"), true),
        (Some("soke.localhost."), true),
        (Some("zone.example"), true),
        (Some("localhost"), true),
        (Some("evil.example"), false),
        (Some("*.localhost"), false),
    ] {
        let mut request = with_host("soke.localhost");
        request.extensions_mut().insert(peer(name));
        assert_eq!(hosts().check(&request).is_ok(), fits, "{name:?}");
    }
}

#[test]
fn t11_a_page_from_elsewhere_is_told_by_its_origin() {
    for (host, origin, same) in [
        ("soke.localhost:7443", None, true),
        ("soke.localhost:7443", Some("https://soke.localhost:7443"), true),
        ("soke.localhost:7443", Some("http://SOKE.localhost:7443"), true),
        ("soke.localhost", Some("https://soke.localhost"), true),
        ("soke.localhost:443", Some("https://soke.localhost"), true),
        ("soke.localhost:7443", Some("https://soke.localhost"), false),
        ("soke.localhost:7443", Some("http://localhost:7443"), false),
        ("soke.localhost:7443", Some("http://soke.localhost:8080"), false),
        ("soke.localhost:7443", Some("https://evil.example:7443"), false),
        ("soke.localhost:7443", Some("null"), false),
        ("soke.localhost:7443", Some(""), false),
        ("soke.localhost:7443", Some("file://"), false),
        (
            "soke.localhost:7443",
            Some("https://soke.localhost:7443/x"),
            false,
        ),
    ] {
        let mut request = with_host(host);
        let asked = hosts().check(&request).unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        assert_eq!(same_origin(request.headers(), &asked), same, "{host} {origin:?}");
    }
}

#[test]
fn an_allowed_host_with_more_than_a_name_is_refused_at_start() {
    for text in [
        "https://soke.localhost",
        "soke.localhost:7443",
        "",
        "a b",
        "a/b",
        "x@y",
    ] {
        assert!(Hosts::new(&[text.to_owned()]).is_err(), "{text}");
    }
}

#[test]
fn what_is_plainly_ours_is_ours_at_a_closer_look_too() {
    let to = |authority: &str, server_name: Option<&str>| {
        let mut request = Request::get(format!("http://{authority}/")).body(()).unwrap();
        request.extensions_mut().insert(peer(server_name));
        request
    };
    for (authority, plain) in [
        ("soke.localhost:7443", true),
        ("127.0.0.1:7443", true),
        ("192.0.2.1", true),
        ("SOKE.localhost", false),
        ("soke.localhost.", false),
        ("[::1]:7443", false),
        ("ada@soke.localhost", false),
        ("soke.localhost@evil.example", false),
        ("evil.example:7443", false),
        ("soke.localhost.evil.example", false),
        ("192.0.2.9", false),
    ] {
        let request = to(authority, None);
        assert_eq!(hosts().plainly_ours(&request), plain, "{authority}");
        assert!(!plain || hosts().check(&request).is_ok(), "{authority}");
    }
    assert!(hosts().plainly_ours(&to("zone.example", Some("zone.example"))));
    assert!(!hosts().plainly_ours(&to("zone.example", Some("evil.example"))));
    for header in ["host", "origin"] {
        let mut request = to("soke.localhost", None);
        let value = http::HeaderValue::from_static("evil.example");
        request.headers_mut().insert(header, value);
        assert!(!hosts().plainly_ours(&request), "{header}");
    }
}
