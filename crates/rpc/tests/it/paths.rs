//! The one spelling of a method's path, over a real connection.

use rpc::Security;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use crate::{
    raw::{PREFACE, frame, head},
    support::{SOON, Server, bare, post, quick},
};

#[tokio::test]
async fn z05_a_path_spelt_otherwise_is_unimplemented_and_never_another_rule() {
    let server = Server::start(Security::Plain, quick()).await;
    let mut sender = bare(&server).await;
    let very_long = format!("/grpc.testing.TestService/EmptyCall{}", "x".repeat(8000));
    for path in [
        "//grpc.testing.TestService/EmptyCall",
        "/grpc.testing.TestService//EmptyCall",
        "/grpc.testing.TestService/EmptyCall/",
        "/grpc.testing.TestService/EmptyCall//",
        "/grpc.testing.TestService/%45mptyCall",
        "/grpc%2Etesting.TestService/EmptyCall",
        "/grpc.testing.TestService%2FEmptyCall",
        "/GRPC.TESTING.TESTSERVICE/EMPTYCALL",
        "/grpc.testing.TestService/emptyCall",
        "/grpc.testing.testservice/EmptyCall",
        "/grpc.testing.TestService/EmptyCall?x=1",
        "/grpc.testing.TestService/EmptyCall;x=1",
        "/grpc.testing.TestService/./EmptyCall",
        "/x/../grpc.testing.TestService/EmptyCall",
        "/grpc.testing.TestService",
        "/grpc.testing.TestService/",
        "/EmptyCall",
        "/",
        "/TestService/EmptyCall",
        "/grpc.testing.TestService/Nothing",
        "/grpc.testing.Nothing/EmptyCall",
        &very_long,
    ] {
        let answer = sender.send_request(post(path)).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers().get("grpc-status").unwrap(), "12", "{path}");
    }
    assert!(
        server.seen.peers.lock().unwrap().is_empty(),
        "no handler was reached"
    );
    let answer = sender
        .send_request(post("/grpc.testing.TestService/EmptyCall"))
        .await
        .unwrap();
    assert_eq!(
        answer.headers().get("grpc-status"),
        None,
        "the status follows the message"
    );
    assert_eq!(server.seen.peers.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn z05_a_path_without_its_slash_reaches_no_handler() {
    const HEADERS: u8 = 1;
    const RESET: u8 = 3;
    const SETTINGS: u8 = 4;
    const GO_AWAY: u8 = 7;
    let server = Server::start(Security::Plain, quick()).await;
    for path in [
        "grpc.testing.TestService/EmptyCall",
        "",
        "*",
        "http://x/grpc.testing.TestService/EmptyCall",
    ] {
        let mut tcp = server.tcp().await;
        let mut bytes = PREFACE.to_vec();
        bytes.extend(frame(SETTINGS, 0, 0, &[]));
        bytes.extend(frame(HEADERS, 0x4, 1, &head(path)));
        bytes.extend(frame(0, 0x1, 1, &[0; 5]));
        tcp.write_all(&bytes).await.unwrap();
        let answered = async {
            loop {
                let mut head = [0; 9];
                tcp.read_exact(&mut head).await.unwrap();
                let length = usize::try_from(u32::from_be_bytes([0, head[0], head[1], head[2]])).unwrap();
                let mut payload = vec![0; length];
                tcp.read_exact(&mut payload).await.unwrap();
                if matches!(head[3], HEADERS | RESET | GO_AWAY) {
                    return (head[3], payload);
                }
            }
        };
        let (kind, payload) = timeout(SOON, answered).await.expect("an answer");
        println!("`{path}`: frame {kind}, {payload:?}");
    }
    assert!(
        server.seen.peers.lock().unwrap().is_empty(),
        "no handler was reached"
    );
}
