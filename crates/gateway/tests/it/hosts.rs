//! Names that are not ours, from real peers.

use http::Request as HttpRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rpc::Trust;
use tasks::Policy;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tonic::{Code, body::Body};
use wire::grpc::testing::{Empty, test_service_client::TestServiceClient};

use crate::support::{Door, ZONE, exchange, head};

const EMPTY_CALL: &str = "/grpc.testing.TestService/EmptyCall";

#[tokio::test]
async fn t11_a_rebound_name_reaches_no_page_and_no_call() {
    let door = Door::open().await;
    for (host, status) in [
        (ZONE, 200),
        ("SOKE.localhost.:7443", 200),
        ("zone.example", 200),
        ("localhost:7443", 200),
        ("127.0.0.1:7443", 200),
        ("[::1]:7443", 200),
        ("evil.example", 421),
        ("evil.example:7443", 421),
        ("soke.localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("192.0.2.99", 421),
        ("0.0.0.0", 421),
        ("2130706433", 421),
        ("", 400),
        ("user@soke.localhost", 400),
        ("soke.localhost/evil", 400),
        ("soke.localhost, evil.example", 400),
    ] {
        let answer = door.plain(head("GET", "/", host, "").as_bytes()).await;
        assert_eq!(answer.status, status, "{host}");
        assert_eq!(answer.text().contains("Soke runs here"), status == 200, "{host}");
        let kind = "content-type: application/grpc-web+proto\r\ncontent-length: 5\r\n";
        let mut call = head("POST", EMPTY_CALL, host, kind).into_bytes();
        call.extend([0; 5]);
        let before = door.reached();
        assert_eq!(door.plain(&call).await.status, status, "{host}");
        assert_eq!(door.reached() - before, usize::from(status == 200), "{host}");
    }
}

#[tokio::test]
async fn a_request_without_a_host_or_with_two_is_refused() {
    let door = Door::open().await;
    for request in [
        "GET / HTTP/1.1\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: soke.localhost\r\nhost: soke.localhost\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: soke.localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nhost: soke.localhost\r\nconnection: close\r\n\r\n",
        "GET http://soke.localhost/ HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
    ] {
        assert_eq!(door.plain(request.as_bytes()).await.status, 400, "{request}");
    }
    let both = "GET http://soke.localhost/ HTTP/1.1\r\nhost: soke.localhost\r\nconnection: close\r\n\r\n";
    assert_eq!(door.plain(both.as_bytes()).await.status, 200);
}

#[tokio::test]
async fn t11_a_page_of_another_site_calls_nothing() {
    let door = Door::open().await;
    for (origin, status) in [
        ("http://soke.localhost:7443", 200),
        ("https://soke.localhost:7443", 200),
        ("http://soke.localhost:8080", 403),
        ("http://localhost:7443", 403),
        ("https://evil.example", 403),
        ("null", 403),
    ] {
        let more =
            format!("origin: {origin}\r\ncontent-type: application/grpc-web+proto\r\ncontent-length: 5\r\n");
        let mut call = head("POST", EMPTY_CALL, "soke.localhost:7443", &more).into_bytes();
        call.extend([0; 5]);
        let before = door.reached();
        assert_eq!(door.plain(&call).await.status, status, "{origin}");
        assert_eq!(door.reached() - before, usize::from(status == 200), "{origin}");
        // A browser that asks first gets no permission.
        let more = format!("origin: {origin}\r\naccess-control-request-method: POST\r\n");
        let answer = door
            .plain(head("OPTIONS", EMPTY_CALL, "soke.localhost:7443", &more).as_bytes())
            .await;
        assert!(
            !answer
                .headers
                .iter()
                .any(|line| line.starts_with("access-control")),
            "{answer:?}"
        );
        assert_ne!(answer.status, 200);
    }
}

/// Sends one gRPC request over HTTP/2 with this authority.
async fn call<I>(door: &Door, io: I, authority: &str) -> (http::StatusCode, Option<String>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.handshake(TokioIo::new(io)).await.unwrap();
    door.tasks.spawn("bare connection", Policy::MayEnd, async move {
        drop(connection.await)
    });
    let body = http_body_util::Full::new(bytes::Bytes::from_static(&[0; 5]));
    let request = HttpRequest::post(format!("https://{authority}{EMPTY_CALL}"))
        .header("content-type", "application/grpc")
        .body(Body::new(body))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let kind = answer
        .headers()
        .get("content-type")
        .map(|kind| kind.to_str().unwrap().to_owned());
    (answer.status(), kind)
}

#[tokio::test]
async fn t11_a_grpc_call_for_another_host_is_misdirected() {
    let door = Door::open().await;
    for (authority, status) in [
        (ZONE, 200),
        ("localhost:7443", 200),
        ("evil.example", 421),
        ("evil.example:7443", 421),
    ] {
        let plain: TcpStream = door.tcp().await;
        let secured = door.tls(ZONE, b"h2").await;
        let before = door.reached();
        let (over_tcp, _) = call(&door, plain, authority).await;
        let (over_tls, kind) = call(&door, secured, authority).await;
        assert_eq!(
            (over_tcp.as_u16(), over_tls.as_u16()),
            (status, status),
            "{authority}"
        );
        assert_eq!(
            door.reached() - before,
            if status == 200 { 2 } else { 0 },
            "{authority}"
        );
        assert_eq!(kind.unwrap() == "application/grpc", status == 200);
    }
    // A gRPC library reads HTTP 421 as a failed call.
    let stranger = door.target().with_server_name("stranger.localhost").unwrap();
    let channel = rpc::connect(&stranger, &door.trust()).await.unwrap();
    let status = TestServiceClient::new(channel)
        .empty_call(Empty::default())
        .await
        .unwrap_err();
    assert_ne!(status.code(), Code::Ok);
}

#[tokio::test]
async fn g07_the_name_in_the_hello_and_the_host_must_both_be_ours() {
    let door = Door::open().await;
    for (name, host, status) in [
        (ZONE, ZONE, 200),
        ("SOKE.LOCALHOST", ZONE, 200),
        (ZONE, "zone.example", 200),
        // An IP address as name: the hello has none.
        ("127.0.0.1", ZONE, 200),
        ("127.0.0.1", "127.0.0.1", 200),
        ("127.0.0.1", "evil.example", 421),
        ("stranger.localhost", ZONE, 421),
        ("stranger.localhost", "stranger.localhost", 421),
        (ZONE, "stranger.localhost", 421),
        (ZONE, "*.localhost", 400),
    ] {
        let tls = door.tls(name, b"http/1.1").await;
        let answer = exchange(tls, head("GET", "/", host, "").as_bytes()).await;
        assert_eq!(answer.status, status, "{name} {host}");
    }
}

#[tokio::test]
async fn grpc_works_over_tls_and_over_plain_tcp_from_this_machine() {
    let door = Door::open().await;
    for trust in [door.trust(), Trust::Plaintext] {
        let mut client = door.client(&trust).await;
        client.empty_call(Empty::default()).await.unwrap();
    }
    assert_eq!(door.reached(), 2);
}
