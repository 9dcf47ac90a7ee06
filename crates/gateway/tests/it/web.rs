//! gRPC-Web, and the paths of calls.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::Message;
use wire::grpc::testing::{
    Payload, ResponseParameters, SimpleRequest, SimpleResponse, StreamingOutputCallRequest,
    StreamingOutputCallResponse,
};

use crate::support::{Answer, Door, ZONE, exchange, head};

fn framed(message: &impl Message) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    let mut framed = vec![0];
    framed.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    framed.extend(bytes);
    framed
}

fn request(path: &str, kind: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let more = format!("content-type: {kind}\r\naccept: {kind}\r\ncontent-length: {length}\r\n{more}");
    let mut bytes = head("POST", path, ZONE, &more).into_bytes();
    bytes.extend(body);
    bytes
}

/// The messages of a gRPC-Web body, and its trailers as text.
fn frames(mut body: &[u8]) -> (Vec<Vec<u8>>, String) {
    let mut messages = Vec::new();
    let mut trailers = String::new();
    while let [kind, a, b, c, d, rest @ ..] = body {
        let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap();
        match kind {
            0 => messages.push(rest[..length].to_vec()),
            0x80 => trailers.push_str(std::str::from_utf8(&rest[..length]).unwrap()),
            other => panic!("frame of kind {other}"),
        }
        body = &rest[length..];
    }
    (messages, trailers)
}

fn echo(bytes: usize) -> SimpleRequest {
    SimpleRequest {
        payload: Some(Payload {
            r#type: 0,
            body: vec![b'x'; bytes].into(),
        }),
        ..SimpleRequest::default()
    }
}

/// The gRPC status of an answer, from its headers or its trailers.
fn status(answer: &Answer) -> String {
    let (_, trailers) = frames(&answer.body);
    let late = trailers
        .lines()
        .find_map(|line| line.strip_prefix("grpc-status:"));
    let status = late.or(answer.header("grpc-status")).expect("there is a status");
    status.trim().to_owned()
}

const UNARY_CALL: &str = "/grpc.testing.TestService/UnaryCall";
const STREAM: &str = "/grpc.testing.TestService/StreamingOutputCall";
const BINARY: &str = "application/grpc-web+proto";
const TEXT: &str = "application/grpc-web-text";

#[tokio::test]
async fn a_browser_calls_by_grpc_web_in_both_of_its_forms() {
    let door = Door::open().await;
    let bytes = framed(&echo(3));
    let binary = door.plain(&request(UNARY_CALL, BINARY, "", &bytes)).await;
    let over_tls = exchange(
        door.tls(ZONE, b"http/1.1").await,
        &request(UNARY_CALL, BINARY, "", &bytes),
    )
    .await;
    let mut text = door
        .plain(&request(UNARY_CALL, TEXT, "", STANDARD.encode(&bytes).as_bytes()))
        .await;
    assert!(text.header("content-type").unwrap().starts_with(TEXT));
    text.body = STANDARD.decode(&text.body).unwrap();
    for answer in [binary, over_tls, text] {
        assert_eq!(answer.status, 200);
        let (messages, _) = frames(&answer.body);
        let message = SimpleResponse::decode(messages[0].as_slice()).unwrap();
        assert_eq!(message.payload.unwrap().body.as_ref(), b"xxx");
        assert_eq!(status(&answer), "0");
    }
}

#[tokio::test]
async fn a_stream_arrives_in_order_by_grpc_web_and_ends_at_its_deadline() {
    let door = Door::open().await;
    let sizes = |interval_us| StreamingOutputCallRequest {
        response_parameters: (1..=5)
            .map(|size| ResponseParameters {
                size,
                interval_us,
                compressed: None,
            })
            .collect(),
        ..StreamingOutputCallRequest::default()
    };
    let whole = door.plain(&request(STREAM, BINARY, "", &framed(&sizes(0)))).await;
    let (messages, _) = frames(&whole.body);
    let lengths: Vec<_> = messages
        .iter()
        .map(|one| {
            StreamingOutputCallResponse::decode(one.as_slice())
                .unwrap()
                .payload
                .unwrap()
                .body
                .len()
        })
        .collect();
    assert_eq!((lengths, status(&whole).as_str()), (vec![1, 2, 3, 4, 5], "0"));
    let late = request(STREAM, BINARY, "grpc-timeout: 300m\r\n", &framed(&sizes(200_000)));
    let cut = door.plain(&late).await;
    assert_eq!((frames(&cut.body).0.len(), status(&cut).as_str()), (1, "4"));
}

#[tokio::test]
async fn a_failed_call_and_one_over_the_limit_say_so_by_grpc_web() {
    let door = Door::open().await;
    let refused = door
        .plain(&request(
            UNARY_CALL,
            BINARY,
            "",
            &framed(&SimpleRequest::default()),
        ))
        .await;
    assert_eq!((refused.status, status(&refused).as_str()), (200, "3"));
    let oversize = door
        .plain(&request(UNARY_CALL, BINARY, "", &framed(&echo(5_000_000))))
        .await;
    assert_eq!((oversize.status, status(&oversize).as_str()), (200, "8"));
}

#[tokio::test]
async fn grpc_over_http_1_is_told_what_to_do() {
    let door = Door::open().await;
    let answer = door
        .plain(&request(UNARY_CALL, "application/grpc", "", &framed(&echo(1))))
        .await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("HTTP/2"), "{}", answer.text());
    let read = door
        .plain(head("GET", UNARY_CALL, ZONE, "content-type: application/grpc-web\r\n").as_bytes())
        .await;
    assert_eq!(read.status, 405);
    assert_eq!(door.reached(), 0);
}

#[tokio::test]
async fn z05_a_path_spelt_otherwise_is_unimplemented_by_grpc_web_too() {
    let door = Door::open().await;
    let very_long = format!("{UNARY_CALL}{}", "x".repeat(8000));
    for path in [
        "//grpc.testing.TestService/UnaryCall",
        "/grpc.testing.TestService//UnaryCall",
        "/grpc.testing.TestService/UnaryCall/",
        "/grpc.testing.TestService/%55naryCall",
        "/grpc.testing.TestService%2FUnaryCall",
        "/GRPC.TESTING.TESTSERVICE/UNARYCALL",
        "/grpc.testing.TestService/unaryCall",
        "/grpc.testing.TestService/UnaryCall?x=1",
        "/x/../grpc.testing.TestService/UnaryCall",
        "/grpc.testing.TestService",
        "/",
        "/healthz",
        "/grpc.testing.TestService/Nothing",
        &very_long,
    ] {
        let answer = door.plain(&request(path, BINARY, "", &framed(&echo(1)))).await;
        assert_eq!((answer.status, status(&answer).as_str()), (200, "12"), "{path}");
    }
    // Without its slash a path is no request target of HTTP/1.1 at all.
    let bare = request(
        "grpc.testing.TestService/UnaryCall",
        BINARY,
        "",
        &framed(&echo(1)),
    );
    assert_eq!(door.plain(&bare).await.status, 400);
    assert_eq!(door.reached(), 0);
}
