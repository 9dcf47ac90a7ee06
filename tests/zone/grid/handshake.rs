//! 0 -> 1 -> 2, with signatures of ethers and requests as bytes; every input that is none of them.

use std::time::Duration;

use super::{
    Ethers,
    http::{ask, exchange, greet, now},
};
use crate::harness::{SOKE, Zone, eventually};

const NOT_VERIFIED: &str = r#"{"msg":"[Fail] Failed to verify your account"}"#;
const NOT_AUTHORIZED: &str = r#"{"msg":"[Fail] user is not authorized"}"#;

#[test]
fn ethers_signs_and_each_step_opens_the_next() {
    let zone = Zone::builder().start();
    let door = zone.listener("grid.http");
    let (ada, bob) = (Ethers::new(21), Ethers::new(22));
    let lease = greet(door, "type=0&input=0x1234", "");
    assert_eq!(
        (lease.status, lease.body.as_str()),
        (200, r#"{"msg":"[ACK] the lease is acceptable"}"#)
    );

    // Both digests: the time's own hash, and as a wallet frames a text.
    for (wallet, plain) in [(&ada, true), (&bob, false)] {
        let time = now().to_string();
        let signed = wallet.signed(&time, plain);
        let proof = format!(
            "type=2&input={time}&addr={}&sig={}",
            signed.address, signed.signature
        );
        let skipped = greet(door, &proof, "");
        assert_eq!((skipped.status, skipped.body.as_str()), (400, NOT_VERIFIED));
        let announced = greet(door, &format!("type=1&input={}", signed.address), "");
        let wanted = format!(r#"{{"msg":"[ACK] {} authorized ok"}}"#, signed.address);
        assert_eq!((announced.status, announced.body), (200, wanted));
        let verified = greet(door, &proof, "");
        assert_eq!(
            (verified.status, verified.body.as_str()),
            (200, r#"{"msg":"[ACK] already authorized"}"#)
        );
        let set = verified.header("set-cookie");
        assert_eq!(set.len(), 1, "{verified:?}");
        assert!(
            set[0].starts_with(&format!("cpuser_{}=", signed.address.to_lowercase())),
            "{set:?}"
        );
        assert!(
            set[0].ends_with("; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax"),
            "{set:?}"
        );
        // W02: once.
        assert_eq!(greet(door, &proof, "").body, NOT_VERIFIED);
        // A guest of the zone has no right to deploy.
        for cookie in ["", &verified.cookie()] {
            let refused = greet(door, "type=3&input=http://x.example/m.yaml", cookie);
            assert_eq!((refused.status, refused.body.as_str()), (400, NOT_AUTHORIZED));
        }
    }
}

#[test]
fn w01_w03_no_other_time_and_no_word_signs_in() {
    let zone = Zone::builder().start();
    let door = zone.listener("grid.http");
    let wallet = Ethers::new(23);
    let address = wallet.sign("").address;
    assert_eq!(greet(door, &format!("type=1&input={address}"), "").status, 200);
    for ahead in [-61, -60, 60, 3_600, 315_360_000] {
        let time = now().checked_add_signed(ahead).expect("a time").to_string();
        let signed = wallet.sign_plain(&time);
        let said = greet(
            door,
            &format!("type=2&input={time}&addr={address}&sig={}", signed.signature),
            "",
        );
        assert_eq!((said.status, said.body.as_str()), (400, NOT_VERIFIED), "{ahead}");
    }
    for word in ["cheat", "test", "0x", ""] {
        let said = greet(door, &format!("type=2&input={word}&addr={address}"), "");
        assert_eq!((said.status, said.body.as_str()), (400, NOT_VERIFIED), "{word}");
    }
    // Nothing in the program knows the word that the old gateway has.
    let program = std::fs::read(SOKE).expect("the binary");
    let word: Vec<u8> = b"taehc".iter().rev().copied().collect();
    assert!(!program.windows(word.len()).any(|window| window == word));
}

#[test]
fn a_cookie_ends_and_greeting_again_gives_the_same_user() {
    let zone = Zone::builder().config("[access]\ncookie_secs = 2\n").start();
    let door = zone.listener("grid.http");
    let wallet = Ethers::new(24);
    let sign_in = || {
        let time = now().to_string();
        let signed = wallet.sign(&time);
        greet(door, &format!("type=1&input={}", signed.address), "");
        greet(
            door,
            &format!(
                "type=2&input={time}&addr={}&sig={}",
                signed.address, signed.signature
            ),
            "",
        )
    };
    let first = sign_in().cookie();
    let nothing = r#"{"msg":"[Fail] have not deployed before or something went wrong"}"#;
    let process = |cookie: &str| ask(door, "GET", "/", &format!("cookie: {cookie}\r\n"), "");
    assert_eq!(process(&first).body, nothing);
    eventually(Duration::from_secs(10), "the cookie ends", || {
        let said = process(&first);
        assert_eq!(said.status, 400);
        (said.body == NOT_AUTHORIZED).then_some(())
    });
    let second = sign_in().cookie();
    assert_eq!(process(&second).body, nothing);
    let name = |cookie: &str| cookie.split('=').next().map(str::to_owned);
    assert_eq!(name(&first), name(&second));
    assert_ne!(first, second);
}

#[test]
fn bad_input_gets_an_answer_and_changes_nothing() {
    let zone = Zone::builder().start();
    let door = zone.listener("grid.http");
    let long = "x".repeat(8_000);
    for (query, status) in [
        ("", 400),
        ("type", 400),
        ("type=", 400),
        ("type=-1", 400),
        ("type=9999999999999999999999", 400),
        ("type=0&type=3", 200),
        ("type=%00", 400),
        ("type=%ff%fe", 400),
        ("type=1&input=%00", 400),
        ("type=1&input=0x%ff", 400),
        ("type=1&input=' OR 1=1 --".replace(' ', "+").as_str(), 400),
        (&format!("type=1&input={long}"), 400),
        (&format!("type=2&input={long}&addr={long}&sig={long}"), 400),
        ("type=2&input=1&addr=0x&sig=0x", 400),
        ("type=3&input=file:///etc/passwd", 400),
        (&format!("type=3&input={long}"), 400),
        ("type=3&local=/etc/passwd", 400),
    ] {
        for cookie in [
            "",
            "cpuser_",
            "cpuser_=",
            "cpuser_0x=x",
            "a=b; ; =; cpuser_x",
            &format!("cpuser_x={long}"),
        ] {
            let said = greet(door, query, cookie);
            assert_eq!(said.status, status, "{query} {cookie}: {said:?}");
            assert!(said.body.starts_with('{') && said.body.ends_with('}'), "{said:?}");
            assert!(said.header("set-cookie").is_empty());
        }
    }
    // W09: no page elsewhere may read or make a call.
    let foreign = ask(
        door,
        "GET",
        "/greet?type=0",
        "origin: http://evil.example\r\nsec-fetch-site: cross-site\r\n",
        "",
    );
    assert_eq!(foreign.status, 403, "{foreign:?}");
    let preflight = ask(
        door,
        "OPTIONS",
        "/greet?type=3",
        "origin: http://evil.example\r\n",
        "",
    );
    for answer in [&foreign, &preflight] {
        assert!(
            answer.header("access-control-allow-origin").is_empty(),
            "{answer:?}"
        );
    }
    // Hosts of others, and what is no host.
    for host in ["evil.example", ""] {
        let request = format!("GET /greet?type=0 HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let said = exchange(door, request.as_bytes());
        assert!([400, 421].contains(&said.status), "{host}: {said:?}");
    }
    let connect = ask(door, "CONNECT", "127.0.0.1:22", "", "");
    assert!([400, 405].contains(&connect.status), "{connect:?}");
}
