//! Peers that send too much.

use std::time::Duration;

use rpc::{Limits, Security, Trust};
use tasks::Clock;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};
use wire::grpc::testing::Empty;

use crate::{
    raw::{PREFACE, frame, head, literal},
    support::{SOON, Server, bare, eventually, post, quick, waits},
};

const EMPTY_CALL: &str = "/grpc.testing.TestService/EmptyCall";
const UNARY_CALL: &str = "/grpc.testing.TestService/UnaryCall";

#[tokio::test]
async fn g09_63_kib_of_headers_pass_and_65_are_refused() {
    let server = Server::start(Security::Plain, quick()).await;
    for (kib, count, passes) in [
        (63, 1, true),
        (63, 60, true),
        (65, 1, false),
        (65, 60, false),
        (900, 9, false),
    ] {
        let mut sender = bare(&server).await;
        let mut request = post(EMPTY_CALL);
        let value: http::HeaderValue = "x".repeat(kib * 1024 / count - 50).parse().unwrap();
        for at in 0..count {
            let name: http::HeaderName = format!("x-bomb-{at:03}").parse().unwrap();
            request.headers_mut().insert(name, value.clone());
        }
        match timeout(SOON, sender.send_request(request))
            .await
            .expect("an answer")
        {
            Ok(answer) if passes => assert_eq!(answer.status(), 200, "{kib} KiB in {count}"),
            Ok(answer) => assert_eq!(answer.status(), 431, "{kib} KiB in {count}"),
            Err(error) => assert!(!passes, "{kib} KiB in {count}: {error}"),
        }
    }
    let mut client = server.client(&Trust::Plaintext).await;
    client
        .empty_call(Empty::default())
        .await
        .expect("others are served");
}

#[tokio::test]
async fn g09_http_1_headers_over_the_limit_are_refused() {
    let server = Server::start(Security::Plain, quick()).await;
    for (kib, status) in [(60, "405"), (66, "431")] {
        let mut tcp = server.tcp().await;
        let head = format!(
            "GET / HTTP/1.1\r\nhost: soke.localhost\r\nconnection: close\r\nx-bomb: {}\r\n\r\n",
            "x".repeat(kib * 1024)
        );
        // The server may answer and close before it has read everything.
        drop(tcp.write_all(head.as_bytes()).await);
        let mut said = Vec::new();
        drop(
            timeout(SOON, tcp.read_to_end(&mut said))
                .await
                .expect("the server closes"),
        );
        let said = String::from_utf8_lossy(&said);
        assert!(
            said.is_empty() && status == "431" || said.contains(status),
            "{kib}: {said}"
        );
    }
}

/// Sends `bytes` again and again while calls are made beside it; returns how often, and the slowest call.
async fn flood(server: &Server, opening: &[u8], round: impl Fn(u32) -> Vec<u8>) -> (u32, Duration) {
    let mut client = server.client(&Trust::Plaintext).await;
    let (mut read, mut write) = server.tcp().await.into_split();
    let closed = async {
        // Reset or end: both are closed.
        drop(tokio::io::copy(&mut read, &mut tokio::io::sink()).await);
    };
    let clock = Clock::system();
    let mut slowest = Duration::ZERO;
    let mut rounds = 0;
    let send = async {
        write.write_all(opening).await.unwrap();
        while rounds < 200 && write.write_all(&round(rounds)).await.is_ok() {
            rounds += 1;
            let begin = clock.monotonic();
            client
                .empty_call(Empty::default())
                .await
                .expect("others are served");
            slowest = slowest.max(clock.monotonic() - begin);
        }
    };
    tokio::select! { () = send => {}, () = closed => {} }
    client
        .empty_call(Empty::default())
        .await
        .expect("others are served");
    (rounds, slowest)
}

#[tokio::test]
async fn g09_a_peer_that_opens_and_resets_without_end_does_not_hold_others_up() {
    let server = Server::start(Security::Plain, Limits::default()).await;
    let opening = [PREFACE, &frame(4, 0, 0, &[])].concat();
    let (rounds, slowest) = flood(&server, &opening, |round| {
        let ids = (0..100).map(|at| (round * 100 + at) * 2 + 1);
        ids.flat_map(|id| {
            [
                frame(1, 0x5, id, &head(UNARY_CALL)),
                frame(3, 0, id, &8_u32.to_be_bytes()),
            ]
            .concat()
        })
        .collect()
    })
    .await;
    println!("{rounds} times 100 calls opened and reset; slowest call beside them {slowest:?}");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    eventually("nothing is left running", || server.seen.running() == 0).await;
}

#[tokio::test]
async fn g09_a_flood_of_continuations_pings_settings_or_empty_data_does_not_hold_others_up() {
    let opening = [PREFACE, &frame(4, 0, 0, &[])].concat();
    let call = [&opening[..], &frame(1, 0x4, 1, &head(UNARY_CALL))].concat();
    let begun = [&opening[..], &frame(1, 0, 1, &head(UNARY_CALL))].concat();
    for (what, opening, one) in [
        ("continuations", begun, frame(9, 0, 1, &[])),
        ("pings", opening.clone(), frame(6, 0, 0, &[0; 8])),
        ("settings", opening, frame(4, 0, 0, &[])),
        ("empty data", call, frame(0, 0, 1, &[])),
    ] {
        let server = Server::start(Security::Plain, Limits::default()).await;
        let (rounds, slowest) = flood(&server, &opening, |_round| one.repeat(1000)).await;
        println!("{rounds} times 1,000 {what}; slowest call beside them {slowest:?}");
        assert!(slowest < Duration::from_secs(2), "{what}: {slowest:?}");
        assert!(rounds < 200 || what != "continuations", "the offender is closed");
    }
}

#[tokio::test]
async fn g10_a_peer_that_does_not_answer_pings_is_closed() {
    let limits = Limits {
        ping_every: Duration::from_millis(200),
        ping_wait: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = Server::start(Security::Plain, limits).await;
    let mut tcp = server.tcp().await;
    // A call that never ends keeps the connection a guest; only the pings can tell that nobody is there.
    let mut call = [
        PREFACE,
        &frame(4, 0, 0, &[]),
        &frame(1, 0x4, 1, &head(UNARY_CALL)),
    ]
    .concat();
    call.extend(frame(0, 0, 1, &[0, 0, 0, 0, 9]));
    tcp.write_all(&call).await.unwrap();
    let mut said = Vec::new();
    // Reset or end: both are closed.
    drop(
        timeout(SOON, tcp.read_to_end(&mut said))
            .await
            .expect("the server closes"),
    );
    // One that answers stays: the library does it by itself.
    let mut client = server.client(&Trust::Plaintext).await;
    client
        .unary_call(waits(1000))
        .await
        .expect("a peer that answers is left alone");
    eventually("nothing is left running", || server.seen.running() == 0).await;
}

#[tokio::test]
async fn g10_a_head_that_never_ends_ends_its_connection_over_either_version() {
    let limits = Limits {
        ping_every: Duration::from_millis(200),
        ping_wait: Duration::from_millis(200),
        ..quick()
    };
    let server = Server::start(Security::Plain, limits).await;
    // Over HTTP/2 nothing else may come until a head is whole: nobody can answer a ping meanwhile.
    let two = [PREFACE, &frame(4, 0, 0, &[]), &frame(1, 0, 1, &[])].concat();
    let more = frame(9, 0, 1, &literal("x", "y"));
    for (begun, more) in [(&two[..], &more[..]), (b"GET / HTTP/1.1\r\n", b"x: y\r\n")] {
        let (mut read, mut write) = server.tcp().await.into_split();
        write.write_all(begun).await.unwrap();
        let dripping = async {
            while write.write_all(more).await.is_ok() {
                // may sleep: this peer is a slow one
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let mut said = Vec::new();
        let closed = async {
            // Reset or end: both are closed.
            let ((), _end) = tokio::join!(dripping, read.read_to_end(&mut said));
        };
        timeout(SOON, closed).await.expect("the server closes");
    }
}
