//! What has one reading and what has not, however the bytes are cut.

use std::sync::Arc;

use bytes::BytesMut;

use super::{Follower, NO_HEAD, State, Switch, Upgrading};

const MOST: usize = 4096;

/// What comes out of a connection whose bytes come in pieces of this length, and how it stands then.
fn through(bytes: &[u8], cut: usize) -> (Vec<u8>, State) {
    let mut follower = Follower::new(MOST, Arc::default());
    let mut out = BytesMut::new();
    for piece in bytes.chunks(cut) {
        follower.follow(piece, &mut out);
    }
    (out.to_vec(), follower.state)
}

#[test]
fn what_has_one_reading_passes_as_it_is() {
    for text in [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET /a;b/%2F/..//x?y=%20;z&&&? HTTP/1.1\r\nhost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length:\t5 \r\n\r\nhello",
        "POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nA\r\n0123456789\r\n000\r\na: b\r\nc: d\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        for cut in 1..=text.len() {
            let (out, state) = through(text.as_bytes(), cut);
            assert_eq!(String::from_utf8_lossy(&out), text, "cut at {cut}");
            assert_eq!(state, State::Head, "{text} cut at {cut}");
        }
    }
}

#[test]
fn an_empty_line_before_a_request_is_left_out() {
    let text = b"\r\nGET / HTTP/1.1\r\n\r\n";
    for cut in 1..=text.len() {
        assert_eq!(through(text, cut).0, &text[2..], "cut at {cut}");
    }
}

#[test]
fn g01_a_head_with_two_readings_never_gets_through() {
    for lines in [
        "POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 5",
        "POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6",
        "POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 5",
        "POST / HTTP/1.1\r\ncontent-length: 5, 5",
        "POST / HTTP/1.1\r\ncontent-length: +5",
        "POST / HTTP/1.1\r\ncontent-length: -5",
        "POST / HTTP/1.1\r\ncontent-length: 0x5",
        "POST / HTTP/1.1\r\ncontent-length: 5 5",
        "POST / HTTP/1.1\r\ncontent-length:",
        "POST / HTTP/1.1\r\ncontent-length: 99999999999999999999",
        "POST / HTTP/1.1\r\ncontent-length : 5",
        "POST / HTTP/1.1\r\n content-length: 5",
        "POST / HTTP/1.1\r\nx: y\r\n z",
        "POST / HTTP/1.1\r\nx: y\r\n\tz",
        "POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked, chunked",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "POST / HTTP/1.1\r\ntransfer-encoding: identity",
        "POST / HTTP/1.1\r\ntransfer-encoding: \u{b}chunked",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked;q=1",
        "POST / HTTP/1.0\r\ntransfer-encoding: chunked",
        "POST / HTTP/1.1\nhost: a",
        "POST / HTTP/1.1\r\nhost: a\nx: y",
        "POST / HTTP/1.1\r\nhost: a\rb",
        "POST / HTTP/1.1\r\nhost: a\0b",
        "POST / HTTP/1.1\r\nhost",
        "POST / HTTP/1.1\r\n: a",
        "POST / HTTP/1.1\r\nho st: a",
        "POST  / HTTP/1.1",
        "POST / HTTP/1.1 ",
        "POST /a b HTTP/1.1",
        "POST /a#b HTTP/1.1",
        "POST /\u{e4} HTTP/1.1",
        "POST /\0 HTTP/1.1",
        "POST / HTTP/1.2",
        "POST / http/1.1",
        "POST / HTTP/2.0",
        "POST /",
        "PRI * HTTP/2.0",
    ] {
        let text = format!("{lines}\r\n\r\nhello");
        for cut in 1..=text.len() {
            let (out, state) = through(text.as_bytes(), cut);
            assert_eq!(out, NO_HEAD, "{lines:?} cut at {cut}");
            assert_eq!(state, State::Refused, "{lines:?} cut at {cut}");
        }
    }
}

#[test]
fn g01_a_chunk_that_is_none_ends_the_body() {
    let head = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
    for (chunks, passes) in [
        ("5;a=b\r\nhello\r\n0\r\n\r\n", "5"),
        ("5 \r\nhello\r\n", "5"),
        ("\r\nhello", ""),
        ("+5\r\nhello\r\n", ""),
        ("5\nhello\r\n", "5"),
        ("5\r\nhelloX\r\n", "5\r\nhello"),
        ("5\r\nhello\n", "5\r\nhello"),
        ("0\r\na: b\nc: d\r\n\r\n", "0\r\na: b"),
        ("0\r\na: b\r\n c\r\n\r\n", "0\r\na: b\r\n"),
        ("FFFFFFFFFFFFFFFFF\r\n", "FFFFFFFFFFFFFFF"),
    ] {
        let text = format!("{head}{chunks}");
        for cut in 1..=text.len() {
            let (out, state) = through(text.as_bytes(), cut);
            let wanted = format!("{head}{passes}");
            assert_eq!(String::from_utf8_lossy(&out), wanted, "{chunks:?} cut at {cut}");
            assert_eq!(state, State::Torn, "{chunks:?} cut at {cut}");
        }
    }
}

#[test]
fn a_head_that_is_too_long_is_left_to_the_parser() {
    let text = format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(2 * MOST));
    let (out, state) = through(text.as_bytes(), 1000);
    assert!(out.len() > MOST && text.as_bytes().starts_with(&out));
    assert_eq!(state, State::Refused);
}

#[test]
fn g02_an_upgrade_is_granted_only_to_a_client_that_waits_for_it() {
    let upgrade = b"GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n";
    let switch = Arc::<Switch>::default();
    let mut follower = Follower::new(MOST, Arc::clone(&switch));
    let mut out = BytesMut::new();
    follower.follow(upgrade, &mut out);
    assert!(!follower.is_opaque(&mut out));
    assert!(Upgrading::next(&switch).grant());
    assert!(follower.is_opaque(&mut out));
    follower.follow(b"\n\0any", &mut out);
    assert!(out.ends_with(b"\n\0any"));

    for early in [&b"x"[..], b"\n", b"GET / HTTP/1.1\r\n\r\n"] {
        let switch = Arc::<Switch>::default();
        let mut follower = Follower::new(MOST, Arc::clone(&switch));
        follower.follow(upgrade, &mut out);
        follower.follow(early, &mut out);
        assert!(!Upgrading::next(&switch).grant());
        assert!(!follower.is_opaque(&mut out));
    }
}
