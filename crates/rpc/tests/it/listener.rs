//! The accept loop, and the time that a peer has to begin.

use std::{io, pin::Pin, task, time::Duration};

use rpc::{Limits, PeerInfo, Security, TlsSource, Trust};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::sync::Arc;
use tasks::Clock;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use wire::grpc::testing::Empty;

use crate::support::{Authority, SOON, Server, ZONE, bare, eventually, post, quick, waits};

fn client_config(authority: &Authority, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    for one in rustls_pki_types::pem::PemObject::pem_slice_iter(authority.pem().as_bytes()) {
        roots.add(one.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|one| one.to_vec()).collect();
    Arc::new(config)
}

/// The first bytes that a TLS client sends.
fn hello(authority: &Authority) -> Vec<u8> {
    let name = ServerName::try_from(ZONE).unwrap();
    let mut client = rustls::ClientConnection::new(client_config(authority, &[b"h2"]), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// Waits until the server has closed the connection; returns what it said before.
async fn said_until_closed(tcp: &mut TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    let end = timeout(SOON, tcp.read_to_end(&mut said)).await;
    match end.expect("the server closes the connection") {
        Ok(_) => said,
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
            said
        }
    }
}

#[tokio::test]
async fn j13_rustsec_2024_0376_the_accept_loop_survives_garbage_and_half_hellos() {
    let authority = Authority::new();
    let server = Server::start(authority.tls(), quick()).await;
    let hello = hello(&authority);
    let mut grown = hello.clone();
    grown[3] = 0xff;
    let pieces: [&[u8]; 8] = [
        b"",
        b"\0",
        b"GET / HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &hello[..hello.len() / 2],
        &hello[..1],
        &grown,
        &[0x16; 70_000],
    ];
    for piece in pieces {
        let mut tcp = server.tcp().await;
        // The server may close before it has read everything.
        drop(tcp.write_all(piece).await);
        drop(tcp);
        let mut open = server.tcp().await;
        drop(open.write_all(piece).await);
        said_until_closed(&mut open).await;
        let mut client = server.client(&authority.trust()).await;
        client
            .empty_call(Empty::default())
            .await
            .expect("others are served");
    }
}

/// A transport that hands on one byte at a time.
struct Trickle(TcpStream);

impl AsyncRead for Trickle {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Trickle {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buf: &[u8],
    ) -> task::Poll<io::Result<usize>> {
        let one = buf.len().min(1);
        Pin::new(&mut self.0).poll_write(cx, &buf[..one])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn g08_a_hello_in_single_bytes_is_served() {
    let authority = Authority::new();
    for security in [
        authority.tls(),
        Security::TlsOrLocalPlain(TlsSource::new(authority.config())),
    ] {
        let server = Server::start(security, quick()).await;
        let tcp = server.tcp().await;
        tcp.set_nodelay(true).unwrap();
        let connector = TlsConnector::from(client_config(&authority, &[b"http/1.1"]));
        let name = ServerName::try_from(ZONE).unwrap();
        let mut tls = connector.connect(name, Trickle(tcp)).await.unwrap();
        tls.write_all(b"GET / HTTP/1.1\r\nhost: soke.localhost\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        tls.flush().await.unwrap();
        let mut said = String::new();
        timeout(SOON, tls.read_to_string(&mut said))
            .await
            .unwrap()
            .unwrap();
        assert!(said.starts_with("HTTP/1.1 405 "), "{said}");
    }
}

#[tokio::test]
async fn g08_a_hello_and_then_silence_ends_at_the_handshake_deadline() {
    let authority = Authority::new();
    let server = Server::start(authority.tls(), quick()).await;
    let clock = Clock::system();
    for piece in [&[][..], &hello(&authority)[..5], &hello(&authority)] {
        let begin = clock.monotonic();
        let mut tcp = server.tcp().await;
        tcp.write_all(piece).await.unwrap();
        said_until_closed(&mut tcp).await;
        let took = clock.monotonic() - begin;
        assert!(took >= Duration::from_millis(300), "{took:?}");
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
}

#[tokio::test]
async fn g10_a_request_head_that_does_not_end_ends_at_its_deadline() {
    let server = Server::start(Security::Plain, quick()).await;
    for piece in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n",
        "GET / HTTP/1.1\r\nhost: soke.localhost\r\nx-slow: ",
    ] {
        let mut tcp = server.tcp().await;
        tcp.write_all(piece.as_bytes()).await.unwrap();
        said_until_closed(&mut tcp).await;
    }
    // A byte now and then does not prolong it.
    let tcp = server.tcp().await;
    let (mut read, mut write) = tcp.into_split();
    write
        .write_all(b"GET / HTTP/1.1\r\nhost: soke.localhost\r\nx-slow: ")
        .await
        .unwrap();
    let drip = async {
        while write.write_all(b"x").await.is_ok() {
            // may sleep: the client under test is a slow one
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let mut said = Vec::new();
    let closed = async {
        // Reset or end: both are closed.
        drop(read.read_to_end(&mut said).await);
    };
    let first = async {
        tokio::select! { () = drip => {}, () = closed => {} }
    };
    timeout(SOON, first).await.expect("the drip ends");
}

#[tokio::test]
async fn j13_a_thousand_silent_connections_leave_others_quick() {
    let authority = Authority::new();
    let server = Server::start(authority.tls(), Limits::default()).await;
    let mut silent = Vec::new();
    for _ in 0..1000 {
        silent.push(server.tcp().await);
    }
    let clock = Clock::system();
    let mut times = Vec::new();
    for _ in 0..20 {
        let begin = clock.monotonic();
        let mut client = server.client(&authority.trust()).await;
        client.empty_call(Empty::default()).await.unwrap();
        times.push(clock.monotonic() - begin);
    }
    times.sort();
    println!(
        "new connection and call beside 1,000 silent ones: median {:?}",
        times[10]
    );
    assert!(times[10] < Duration::from_millis(200), "{times:?}");
    drop(silent);
}

#[tokio::test]
async fn j13_silent_connections_give_their_place_to_newcomers() {
    let limits = Limits {
        connections: 8,
        ..Limits::default()
    };
    let server = Server::start(Security::Plain, limits).await;
    let mut guest = server.client(&Trust::Plaintext).await;
    guest.empty_call(Empty::default()).await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(server.tcp().await);
    }
    let mut newcomer = server.client(&Trust::Plaintext).await;
    newcomer
        .empty_call(Empty::default())
        .await
        .expect("a newcomer is served");
    guest
        .empty_call(Empty::default())
        .await
        .expect("a guest keeps its place");
    {
        let peers = server.seen.peers.lock().unwrap();
        assert_eq!(peers[0].address, peers[2].address);
    }
    said_until_closed(&mut silent[0]).await;
}

#[tokio::test]
async fn g10_idle_connections_give_their_place_to_newcomers_and_busy_ones_do_not() {
    let limits = Limits {
        connections: 8,
        ..Limits::default()
    };
    let server = Server::start(Security::Plain, limits).await;
    let mut busy = server.client(&Trust::Plaintext).await;
    let call = tokio::spawn(async move { busy.unary_call(waits(600_000)).await });
    eventually("it runs", || server.seen.running() == 1).await;
    let mut guests = Vec::new();
    for _ in 0..40 {
        // Each has made a call, answers pings and would stay for ever.
        let mut guest = bare(&server).await;
        let answer = guest
            .send_request(post("/grpc.testing.TestService/EmptyCall"))
            .await;
        assert_eq!(answer.expect("a newcomer is served").status(), 200);
        guests.push(guest);
    }
    eventually("the first ones had to go", || {
        guests.iter().filter(|guest| guest.is_closed()).count() >= 33
    })
    .await;
    assert!(guests[0].is_closed() && !guests[39].is_closed());
    assert_eq!(server.seen.running(), 1, "the busy one stays");
    call.abort();
}

#[tokio::test]
async fn a_request_carries_its_peer() {
    let authority = Authority::new();
    let server = Server::start(
        Security::TlsOrLocalPlain(TlsSource::new(authority.config())),
        quick(),
    )
    .await;
    for trust in [Trust::Plaintext, authority.trust()] {
        let mut client = server.client(&trust).await;
        client.empty_call(Empty::default()).await.unwrap();
    }
    eventually("both are seen", || server.seen.peers.lock().unwrap().len() == 2).await;
    let peers: Vec<PeerInfo> = server.seen.peers.lock().unwrap().clone();
    assert_eq!(
        peers.iter().map(|peer| peer.tls).collect::<Vec<_>>(),
        [false, true]
    );
    assert!(peers.iter().all(PeerInfo::is_loopback));
    assert!(peers.iter().all(|peer| peer.local == server.serving.address()));
    let names: Vec<_> = peers.iter().map(|peer| peer.server_name.as_deref()).collect();
    assert_eq!(names, [None, Some(ZONE)]);
}

#[tokio::test]
async fn a_peer_from_elsewhere_that_speaks_plainly_is_told_to_use_tls() {
    let Some(own) = own_address() else {
        println!("this machine has no address but its loopback ones");
        return;
    };
    let authority = Authority::new();
    let security = Security::TlsOrLocalPlain(TlsSource::new(authority.config()));
    let server = Server::start_on(std::net::SocketAddr::new(own, 0).into(), security, quick()).await;
    let mut tcp = server.tcp().await;
    tcp.write_all(b"GET / HTTP/1.1\r\nhost: soke.localhost\r\n\r\n")
        .await
        .unwrap();
    let said = said_until_closed(&mut tcp).await;
    assert!(said.starts_with(b"HTTP/1.1 400 "), "{said:?}");
    let head_end = said.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(said.len() - head_end, 46);
    let mut client = server.client(&authority.trust()).await;
    client.empty_call(Empty::default()).await.unwrap();
}

/// An address of this machine that is not loopback. Nothing is sent.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.200:9").ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_loopback() && !own.is_unspecified()).then_some(own)
}

#[tokio::test]
async fn the_version_agreed_on_in_the_hello_binds() {
    let authority = Authority::new();
    let server = Server::start(authority.tls(), quick()).await;
    let name = ServerName::try_from(ZONE).unwrap();
    for (protocol, bytes) in [
        (&b"h2"[..], &b"GET / HTTP/1.1\r\nhost: soke.localhost\r\n\r\n"[..]),
        (
            b"http/1.1",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        ),
    ] {
        let connector = TlsConnector::from(client_config(&authority, &[protocol]));
        let mut tls = connector.connect(name.clone(), server.tcp().await).await.unwrap();
        tls.write_all(bytes).await.unwrap();
        let mut said = Vec::new();
        // Without a closing alert the end is an error; both are closed.
        drop(
            timeout(SOON, tls.read_to_end(&mut said))
                .await
                .expect("the server closes"),
        );
        assert!(said.is_empty(), "{said:?}");
    }
}
