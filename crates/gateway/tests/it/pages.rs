//! What a browser sees.

use rpc::{ListenAddress, Trust};
use std::time::Duration;
use tokio::net::TcpStream;
use wire::grpc::testing::Empty;

use crate::support::{Door, SOON, ZONE, exchange, head};

#[tokio::test]
async fn the_page_says_what_this_is_over_plain_http_from_this_machine() {
    let door = Door::open().await;
    let page = door.get("/").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text().contains("Soke runs here"));
    assert!(page.text().contains(ZONE));
    assert!(page.body.len() < 4096);
}

#[tokio::test]
async fn the_page_is_the_same_over_tls() {
    let door = Door::open().await;
    let request = head("GET", "/", ZONE, "");
    let page = exchange(door.tls(ZONE, b"http/1.1").await, request.as_bytes()).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.body, door.get("/").await.body);
}

#[tokio::test]
async fn every_answer_bears_the_headers_that_keep_a_browser_careful() {
    let door = Door::open().await;
    for path in ["/", "/healthz", "/nothing"] {
        let answer = door.get(path).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "deny"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("server"), None);
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("set-cookie"), None);
    }
}

#[tokio::test]
async fn everything_else_is_a_short_404() {
    let door = Door::open().await;
    for path in [
        "/index.html",
        "//",
        "/healthz/",
        "/HEALTHZ",
        "/%68ealthz",
        "/../healthz",
        "/.git/config",
        "/kapi/system_config",
        "/grpc.testing.TestService/EmptyCall",
        "/x?y=/",
    ] {
        let answer = door.get(path).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (404, "There is nothing here.\n"),
            "{path}"
        );
    }
    assert_eq!(door.get("/healthz").await.text(), "ok\n");
    assert_eq!(door.get("/healthz?x").await.status, 200);
}

#[tokio::test]
async fn a_page_is_read_and_nothing_else() {
    let door = Door::open().await;
    let asked = |method| head(method, "/", ZONE, "content-length: 0\r\n");
    let answer = door.plain(asked("HEAD").as_bytes()).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let whole = door.get("/").await.body.len().to_string();
    assert_eq!(answer.header("content-length"), Some(whole.as_str()));
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "MADE-UP"] {
        let answer = door.plain(asked(method).as_bytes()).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("get, head"), "{method}");
    }
}

#[tokio::test]
async fn t06_a_head_of_a_million_bytes_is_refused_quickly() {
    let door = Door::open().await;
    for more in [
        format!("authorization: Bearer {}\r\n", "x".repeat(1_000_000)),
        format!("cookie: {}\r\n", "x".repeat(1_000_000)),
        "x-y: z\r\n".repeat(50_000),
    ] {
        let answer = door.plain(head("GET", "/", ZONE, &more).as_bytes()).await;
        assert_eq!(answer.status, 431);
    }
    let answer = door
        .plain(head("GET", &format!("/{}", "x".repeat(1_000_000)), ZONE, "").as_bytes())
        .await;
    assert!(matches!(answer.status, 414 | 431), "{}", answer.status);
    assert_eq!(door.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn what_is_bound_is_reported_and_closed_by_a_stop() {
    let door = Door::open().await;
    let bound = door.handle.bound();
    assert_eq!(bound.len(), 1);
    assert_eq!(
        (bound[0].name, bound[0].address, bound[0].tls),
        ("native", door.handle.address(), true)
    );
    assert_ne!(bound[0].address.port(), 0);
    let mut client = door.client(&Trust::Plaintext).await;
    client.empty_call(Empty::default()).await.unwrap();
    assert!(door.handle.stop(SOON).await.late.is_empty());
    assert!(TcpStream::connect(bound[0].address).await.is_err());
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let door = Door::open().await;
    let taken = ListenAddress::from(door.handle.address());
    let error = rpc::Listener::bind(taken, rpc::Security::Plain)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), format!("listen on `{taken}`"));
    assert!(door.tasks.stop(Duration::from_secs(5)).await.late.is_empty());
}
