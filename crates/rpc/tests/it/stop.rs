//! The end of a listener.

use std::time::Duration;

use rpc::{Limits, Security, Trust};
use tasks::Clock;
use tokio::{net::TcpStream, time::timeout};
use tonic::Code;
use wire::grpc::testing::Empty;

use crate::support::{SOON, Server, eventually, quick, waits};

#[tokio::test]
async fn a_stop_lets_a_running_call_finish_and_takes_no_new_ones() {
    let server = Server::start(Security::Plain, Limits::default()).await;
    let mut client = server.client(&Trust::Plaintext).await;
    let stop = async {
        eventually("the call runs", || server.seen.running() == 1).await;
        server.serving.stop(SOON).await
    };
    let (answer, stopped) = tokio::join!(client.unary_call(waits(400)), stop);
    answer.expect("the running call finishes");
    assert!(stopped.late.is_empty(), "{stopped:?}");
    assert!(TcpStream::connect(server.serving.address()).await.is_err());
    let status = client.empty_call(Empty::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_stop_cuts_a_stuck_call_within_its_grace() {
    let server = Server::start(Security::Plain, Limits::default()).await;
    let mut client = server.client(&Trust::Plaintext).await;
    let clock = Clock::system();
    let stop = async {
        eventually("the call runs", || server.seen.running() == 1).await;
        let begin = clock.monotonic();
        let stopped = server.serving.stop(Duration::from_millis(300)).await;
        (stopped, clock.monotonic() - begin)
    };
    let (answer, (stopped, took)) = tokio::join!(client.unary_call(waits(600_000)), stop);
    answer.unwrap_err();
    assert!(stopped.late.is_empty(), "{stopped:?}");
    assert!(took >= Duration::from_millis(300), "{took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    eventually("the handler is gone", || server.seen.running() == 0).await;
}

#[tokio::test]
async fn the_end_of_everything_ends_a_listener_within_its_own_drain() {
    let server = Server::start(Security::Plain, quick()).await;
    let mut client = server.client(&Trust::Plaintext).await;
    let silent = server.tcp().await;
    let end = async {
        eventually("the call runs", || server.seen.running() == 1).await;
        server.tasks.token().cancel();
        eventually("the handler is gone", || server.seen.running() == 0).await;
    };
    let both = async { tokio::join!(client.unary_call(waits(600_000)), end) };
    let (answer, ()) = timeout(SOON, both).await.expect("it ends");
    answer.unwrap_err();
    drop(silent);
    let stopped = server.serving.stop(SOON).await;
    assert!(stopped.late.is_empty(), "{stopped:?}");
}

#[tokio::test]
async fn silent_and_half_open_connections_do_not_hold_a_stop_up() {
    let server = Server::start(Security::Plain, Limits::default()).await;
    let mut idle = server.client(&Trust::Plaintext).await;
    idle.empty_call(Empty::default()).await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(server.tcp().await);
    }
    let clock = Clock::system();
    let begin = clock.monotonic();
    let stopped = server.serving.stop(SOON).await;
    assert!(stopped.late.is_empty(), "{stopped:?}");
    assert!(clock.monotonic() - begin < Duration::from_secs(5));
}
