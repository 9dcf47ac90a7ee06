//! `soke up --test`: both effects of the document, and what a deployed service sees of a caller.

use std::sync::Arc;

use rustls::{ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::PrivatePkcs8KeyDer;

use super::http::{Upstream, ask, greet};
use crate::harness::{LONG, Zone, finished};

#[test]
fn in_a_zone_for_tests_any_input_signs_in_and_a_host_stands_for_a_deployment() {
    let zone = Zone::builder().argument("--test").start();
    let door = zone.listener("grid.http");
    let upstream = |name: &'static str| Upstream::start(move |_request| format!("hello from {name}"));
    let (one, two) = (upstream("one"), upstream("two"));
    let wallet = "0x0d2897e7e3ad18df4a0571a7bacb3ffe417d3b06";
    // The document's own lines, its test word among them.
    let nobody = greet(door, "type=2&input=cheat", "");
    assert_eq!(
        (nobody.status, nobody.body.as_str()),
        (200, r#"{"msg":"[ACK] already authorized"}"#)
    );
    let somebody = greet(door, &format!("type=2&input=cheat&addr={wallet}"), "");
    let (nobody, somebody) = (nobody.cookie(), somebody.cookie());
    assert!(nobody.starts_with("cpuser_test=") && somebody.starts_with(&format!("cpuser_{wallet}=")));
    for (cookie, upstream) in [(&nobody, &one), (&somebody, &two)] {
        let said = greet(door, &format!("type=3&input=http://{}", upstream.address), cookie);
        assert_eq!(
            (said.status, said.body.as_str()),
            (200, r#"{"msg":"[ACK] deployed ok"}"#)
        );
    }

    // Each reaches their own; method, path, query and body as they are.
    for (method, target, body) in [
        ("GET", "/", ""),
        ("POST", "/greet", "a=b"),
        ("POST", "/greet?type=2&input=cheat", "{}"),
        ("PUT", "/a;b/%2F/../c?x=%20;y&z", "body"),
        ("DELETE", "//a//", ""),
        ("OPTIONS", "/x", ""),
        ("PROPFIND", "/x", ""),
    ] {
        for (cookie, upstream, name) in [(&nobody, &one, "one"), (&somebody, &two, "two")] {
            let lines = format!("cookie: a=1; {cookie}; b=2\r\nauthorization: Bearer canary-bearer\r\n");
            let said = ask(door, method, target, &lines, body);
            assert_eq!(
                (said.status, said.body),
                (200, format!("hello from {name}")),
                "{method} {target}"
            );
            let got = upstream.got().pop().expect("a request");
            assert!(
                got.starts_with(&format!("{method} {target} HTTP/1.1\r\n")),
                "{got}"
            );
            assert!(got.ends_with(&format!("\r\n\r\n{body}")), "{got}");
            // W10: no credential of ours goes along, and none comes back.
            let low = got.to_lowercase();
            assert!(!low.contains("cpuser_") && !low.contains("canary"), "{got}");
            assert!(low.contains("cookie: a=1; b=2"), "{got}");
            assert!(low.contains(&format!("host: {}", upstream.address)), "{got}");
            assert!(low.contains("x-soke-user: "), "{got}");
            assert_eq!(said.head.matches("theirs=1").count(), 1, "{}", said.head);
            assert!(!said.head.contains("planted"), "{}", said.head);
        }
    }
    assert_eq!(ask(door, "GET", "/", "", "").status, 400);

    // A host that is not there is the document's 400, in words and not with an address of ours.
    let gone = greet(door, "type=3&input=http://127.0.0.1:1", &nobody);
    assert_eq!(gone.status, 200);
    let said = ask(door, "GET", "/", &format!("cookie: {nobody}\r\n"), "");
    let wanted = r#"{"msg":"[Fail] the service cannot be reached"}"#;
    assert_eq!((said.status, said.body.as_str()), (400, wanted));
}

#[test]
fn in_a_zone_for_tests_a_host_may_speak_tls_and_hears_its_own_name() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trusted = folder.path().join("authorities.pem");
    std::fs::write(&trusted, made.cert.pem()).expect("written");
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let tls = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let tls = tls.expect("versions").with_no_client_auth();
    let tls = tls.with_single_cert(vec![made.cert.der().clone()], key.into());
    let upstream = Upstream::with_tls(Arc::new(tls.expect("a good pair")), |_request| {
        "over TLS".to_owned()
    });
    let zone = Zone::builder()
        .environment("SSL_CERT_FILE", trusted)
        .argument("--test")
        .start();
    let door = zone.listener("grid.http");
    let cookie = greet(door, "type=2&input=now", "").cookie();
    let process = || ask(door, "GET", "/x", &format!("cookie: {cookie}\r\n"), "");
    for (host, status, body) in [
        ("localhost", 200, "over TLS"),
        // The certificate names another host.
        (
            "127.0.0.1",
            400,
            r#"{"msg":"[Fail] the service cannot be reached"}"#,
        ),
    ] {
        let url = format!("https://{host}:{}/path", upstream.address.port());
        assert_eq!(greet(door, &format!("type=3&input={url}"), &cookie).status, 200);
        let said = process();
        assert_eq!(
            (said.status, said.body.as_str()),
            (status, body),
            "{said:?}\n{}",
            zone.log()
        );
    }
    let got = upstream.got();
    assert_eq!(got.len(), 1);
    assert!(
        got[0]
            .to_lowercase()
            .contains(&format!("host: localhost:{}\r\n", upstream.address.port())),
        "{got:?}"
    );
}

#[test]
fn a_zone_for_tests_stays_on_this_machine() {
    let mut zone = Zone::builder()
        .argument("--test")
        .config("[grid.http]\ninsecure = true\n")
        .prepare();
    let mut command = zone.command();
    command
        .env("SOKE_GRID__HTTP__ADDRESS", "0.0.0.0:0")
        .args(["up", "--listen", "127.0.0.1:0", "--test"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut server = command.spawn().expect("starts");
    let status = finished(&mut server, LONG).expect("it ends by itself");
    assert_eq!(status.code(), Some(78));
    zone.start();
    assert!(zone.listener("grid.http").ip().is_loopback());
}
