//! Connections that become too old.

use std::{collections::BTreeSet, time::Duration};

use rpc::{Limits, Security, Trust};
use tasks::Clock;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};
use tonic::Code;
use wire::grpc::testing::Empty;

use crate::{
    raw::{PREFACE, frame, head},
    support::{SOON, Server, eventually, waits},
};

fn aging(age: u64, grace: u64) -> Limits {
    Limits {
        age: Some(Duration::from_millis(age)),
        age_grace: Duration::from_millis(grace),
        ..Limits::default()
    }
}

#[tokio::test]
async fn an_old_connection_is_given_up_for_a_new_one_without_a_failed_call() {
    let server = Server::start(Security::Plain, aging(150, 10_000)).await;
    let mut client = server.client(&Trust::Plaintext).await;
    // It begins on the first connection and ends long after that one's time.
    let mut patient = client.clone();
    let long = patient.unary_call(waits(1000));
    let many = async {
        let connections = || {
            let peers = server.seen.peers.lock().unwrap();
            let ports: BTreeSet<u16> = peers.iter().map(|peer| peer.address.port()).collect();
            ports.len()
        };
        while connections() < 4 {
            client
                .empty_call(Empty::default())
                .await
                .expect("no call sees the change");
            // may sleep: calls that come now and then are the ones that meet an old connection
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    };
    let both = async { tokio::join!(long, many) };
    let (answer, ()) = timeout(SOON, both).await.expect("connections change");
    answer.expect("a call within the grace ends as it would");
}

#[tokio::test]
async fn a_call_that_outlives_an_old_connection_s_grace_is_cut() {
    let server = Server::start(Security::Plain, aging(200, 300)).await;
    let mut client = server.client(&Trust::Plaintext).await;
    let clock = Clock::system();
    let begin = clock.monotonic();
    let answer = timeout(SOON, client.unary_call(waits(600_000))).await;
    let status = answer.expect("it is cut").unwrap_err();
    let took = clock.monotonic() - begin;
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    // The age is spread by a tenth; the connection stood a moment before the call began.
    assert!(took >= Duration::from_millis(400), "{took:?}");
    eventually("the handler is gone", || server.seen.running() == 0).await;
    client
        .empty_call(Empty::default())
        .await
        .expect("the next connection is young");
}

#[tokio::test]
async fn an_old_connection_that_does_not_leave_yields_its_place() {
    let limits = Limits {
        connections: 1,
        ..aging(200, 60_000)
    };
    let server = Server::start(Security::Plain, limits).await;
    let mut old = server.tcp().await;
    // It makes a call and then answers nothing, not even the question whether it has read that it is given up.
    let call = [
        PREFACE,
        &frame(4, 0, 0, &[]),
        &frame(1, 0x4, 1, &head("/grpc.testing.TestService/EmptyCall")),
        &frame(0, 1, 1, &[0; 5]),
    ]
    .concat();
    old.write_all(&call).await.unwrap();
    let mut said = Vec::new();
    let given_up = async {
        // GOAWAY
        let is_said = |said: &[u8]| said.windows(5).any(|bytes| bytes == [8, 7, 0, 0, 0]);
        while !is_said(&said) {
            assert_ne!(old.read_buf(&mut said).await.unwrap(), 0);
        }
    };
    timeout(SOON, given_up).await.expect("it is given up");
    let mut client = server.client(&Trust::Plaintext).await;
    client
        .empty_call(Empty::default())
        .await
        .expect("a newcomer finds a place");
    let end = timeout(SOON, old.read_to_end(&mut said)).await;
    drop(end.expect("the old one is closed"));
}
