//! A host with more than one address.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};

use super::{ChannelArgs, first_of, house};

/// The longest that a test waits for what must come.
const SOON: Duration = Duration::from_secs(30);

/// An address where nobody answers for as long as this is held: its queue is full.
async fn silent() -> (SocketAddr, impl Sized) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        waiting.push(connected.unwrap());
        assert!(waiting.len() < 100, "the queue is full some day");
    }
    (address, (listener, waiting))
}

fn refusing() -> (SocketAddr, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    (socket.local_addr().unwrap(), socket)
}

#[tokio::test]
async fn a_silent_address_keeps_no_other_of_its_host_from_being_tried() {
    let (silent, _full) = silent().await;
    let (refusing, _bound) = refusing();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let open = listener.local_addr().unwrap();
    for addresses in [
        &[silent, open][..],
        &[open, silent],
        &[silent, refusing, open],
        &[refusing, silent, open],
    ] {
        let tcp = timeout(SOON, first_of(addresses))
            .await
            .expect("in time")
            .unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), open);
    }
    let error = timeout(SOON, first_of(&[refusing, refusing])).await;
    let error = error.expect("in time").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    first_of(&[]).await.unwrap_err();
}

#[test]
fn only_servers_of_the_house_are_asked_whether_they_live_without_being_told_to() {
    assert_eq!(ChannelArgs::new().keepalive_time, None, "gRPC's own");
    assert_eq!(house().keepalive_time, Some(Duration::from_secs(30)));
}
