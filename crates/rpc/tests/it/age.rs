//! Connections that become too old.

use std::{collections::BTreeSet, time::Duration};

use rpc::{Limits, Security, Trust};
use tasks::Clock;
use tokio::time::timeout;
use tonic::Code;
use wire::grpc::testing::Empty;

use crate::support::{SOON, Server, eventually, waits};

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
