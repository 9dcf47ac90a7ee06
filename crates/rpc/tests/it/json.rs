//! The same generated service and client in two forms of messages, told apart by content type.

use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Full};
use rpc::{CallOptions, Json, Security};
use tonic::{Code, Request, body::Body, client::GrpcService, codegen::StdError};
use wire::grpc::testing::{
    BoolValue, EchoStatus, Payload, ResponseParameters, SimpleRequest, StreamingInputCallRequest,
    StreamingOutputCallRequest, test_service_client::TestServiceClient,
};

use crate::{
    support::{bare_to, post},
    talker::{Server, collect, fed},
};

fn json() -> Json {
    Json::new(wire::DESCRIPTORS).unwrap()
}

async fn server() -> Server {
    Server::start_with(Security::Plain, None, |calls| calls.with_json(json())).await
}

fn payload(size: usize) -> Option<Payload> {
    Some(Payload {
        r#type: 0,
        body: vec![b'x'; size].into(),
    })
}

fn sized(sizes: &[i32]) -> StreamingOutputCallRequest {
    let one = |size: &i32| ResponseParameters {
        size: *size,
        ..ResponseParameters::default()
    };
    StreamingOutputCallRequest {
        response_parameters: sizes.iter().map(one).collect(),
        ..StreamingOutputCallRequest::default()
    }
}

/// What a client of either form gets from all four kinds of calls.
async fn all_four<T>(mut client: TestServiceClient<T>) -> Vec<usize>
where
    T: GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as http_body::Body>::Error: Into<StdError> + Send,
{
    let length = |payload: Option<Payload>| payload.map_or(0, |payload| payload.body.len());
    let mut lengths = Vec::new();
    let mut asked = Request::new(SimpleRequest {
        response_size: 31_415,
        payload: payload(2000),
        response_compressed: Some(BoolValue { value: true }),
        ..SimpleRequest::default()
    });
    asked.extensions_mut().insert(CallOptions {
        compress: Some(true),
        ..CallOptions::default()
    });
    let answer = client.unary_call(asked).await.unwrap();
    assert_eq!(answer.metadata().get("x-own").unwrap(), "of the response");
    lengths.push(length(answer.into_inner().payload));

    let answers = client
        .streaming_output_call(sized(&[3, 0, 70_000]))
        .await
        .unwrap();
    let mut answers = answers.into_inner();
    while let Some(answer) = answers.message().await.unwrap() {
        lengths.push(length(answer.payload));
    }
    let trailers = answers.trailers().await.unwrap().expect("there are trailers");
    assert_eq!(trailers.get("x-sent").unwrap(), "70003");

    let parts = futures::stream::iter([1, 20, 300]).map(|size| StreamingInputCallRequest {
        payload: payload(size),
        expect_compressed: None,
    });
    let answer = client.streaming_input_call(parts).await.unwrap().into_inner();
    lengths.push(usize::try_from(answer.aggregated_payload_size).unwrap());

    let (ask, asked) = tokio::sync::mpsc::channel(1);
    let asked = tokio_stream::wrappers::ReceiverStream::new(asked);
    let mut answers = client.full_duplex_call(asked).await.unwrap().into_inner();
    let first = answers.message().await.unwrap().expect("the server speaks first");
    lengths.push(length(first.payload));
    for size in [9, 2653] {
        ask.send(sized(&[size])).await.unwrap();
        let answer = answers.message().await.unwrap().expect("each is answered");
        lengths.push(length(answer.payload));
    }
    drop(ask);
    assert!(answers.message().await.unwrap().is_none());

    let failing = SimpleRequest {
        response_status: Some(EchoStatus {
            code: 9,
            message: "as asked".to_owned(),
        }),
        ..SimpleRequest::default()
    };
    let status = client.unary_call(failing).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::FailedPrecondition, "as asked")
    );
    assert_eq!(status.metadata().get("x-after").unwrap(), "all is said");
    lengths
}

#[tokio::test]
async fn one_service_answers_all_four_kinds_of_calls_in_protobuf_and_in_json() {
    let server = server().await;
    let channel = rpc::connect(&server.target(), &rpc::Trust::Plaintext)
        .await
        .unwrap();
    let wanted = [31_415, 3, 0, 70_000, 321, 1, 9, 2653];
    assert_eq!(all_four(TestServiceClient::new(channel.clone())).await, wanted);
    let json = TestServiceClient::new(json().over(channel));
    assert_eq!(all_four(json).await, wanted);
    // The handlers saw of both which messages came compressed.
    let compressed = server.notes.compressed.lock().unwrap().clone();
    assert_eq!(compressed, [true, false, false, false, false].repeat(2));
}

/// A call in JSON, by hand.
fn spoken(method: &str, text: &str) -> http::Request<Body> {
    let mut request = post(&format!("/grpc.testing.TestService/{method}"));
    *request.body_mut() = Body::new(Full::new(framed(text)));
    let form = "application/grpc+json".parse().unwrap();
    request.headers_mut().insert("content-type", form);
    request
}

fn framed(text: &str) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
    bytes.extend(text.as_bytes());
    bytes.into()
}

#[tokio::test]
async fn a_caller_without_protobuf_reads_and_writes_text() {
    let server = server().await;
    let mut sender = bare_to(server.serving.address()).await;
    let asked = r#"{"responseSize": 3, "payload": {"body": "eHg="}}"#;
    let answer = sender.send_request(spoken("UnaryCall", asked)).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/grpc+json");
    let (messages, trailers) = collect(answer).await;
    assert_eq!(messages[0].1, r#"{"payload":{"body":"eHh4"}}"#);
    assert_eq!(trailers["grpc-status"], "0");
    assert_eq!(trailers["x-after"], "all is said");

    // Also where metadata goes out first.
    let early = r#"{"payload": {"body": "ZWFybHk="}}"#;
    let answer = sender.send_request(spoken("UnaryCall", early)).await.unwrap();
    assert_eq!(answer.headers()["x-before"], "on its way");
    assert_eq!(answer.headers()["content-type"], "application/grpc+json");
    server.notes.go_on.notify_one();
    let (messages, trailers) = collect(answer).await;
    assert_eq!(messages[0].1, r#"{"payload":{}}"#);
    assert_eq!(trailers["grpc-status"], "0");

    // A message that comes in pieces.
    let (feed, body) = fed();
    let mut request = spoken("StreamingInputCall", "");
    *request.body_mut() = body;
    let sending = sender.send_request(request);
    let feeding = async {
        for piece in framed(r#"{"payload":{"body":"eHg="}}"#).chunks(4) {
            feed.send(piece.to_vec()).await.unwrap();
        }
        drop(feed);
    };
    let (answer, ()) = tokio::join!(sending, feeding);
    let (messages, _) = collect(answer.unwrap()).await;
    assert_eq!(messages[0].1, r#"{"aggregatedPayloadSize":2}"#);
}

#[tokio::test]
async fn text_that_is_no_message_is_refused_by_name() {
    let server = server().await;
    let mut sender = bare_to(server.serving.address()).await;
    for (method, text, code) in [
        ("UnaryCall", r#"{"respnseSize": 3}"#, "3"),
        ("UnaryCall", "\0\0\0", "3"),
        ("StreamingOutputCall", "[]", "3"),
        ("StreamingInputCall", "nothing", "3"),
        ("NoSuchCall", "{}", "12"),
    ] {
        let answer = sender.send_request(spoken(method, text)).await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], code, "{method} {text}");
        let said = answer.headers().get("grpc-message");
        let said = said.map_or("", |said| said.to_str().unwrap());
        assert_eq!(said.contains("grpc.testing."), code == "3", "{said}");
        assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
    }
}

#[tokio::test]
async fn a_service_that_was_not_told_to_takes_no_json() {
    let server = Server::start(Security::Plain).await;
    let mut sender = bare_to(server.serving.address()).await;
    let answer = sender.send_request(spoken("UnaryCall", "{}")).await.unwrap();
    assert_eq!(answer.status(), 415);
    let channel = rpc::connect(&server.target(), &rpc::Trust::Plaintext).await;
    let mut client = TestServiceClient::new(json().over(channel.unwrap()));
    client.unary_call(SimpleRequest::default()).await.unwrap_err();
}

#[tokio::test]
async fn a_method_without_a_descriptor_is_not_read_as_protobuf() {
    // A descriptor set without a file.
    let json = Json::new(b"").unwrap();
    let server = Server::start_with(Security::Plain, None, |calls| calls.with_json(json)).await;
    let mut sender = bare_to(server.serving.address()).await;
    // Nothing at all is a message in protobuf and none in JSON.
    for text in ["", "{}"] {
        let answer = sender.send_request(spoken("UnaryCall", text)).await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], "12", "{text}");
    }
}

#[tokio::test]
async fn a_message_that_says_that_it_is_compressed_is_not_read_as_text() {
    let server = server().await;
    let mut sender = bare_to(server.serving.address()).await;
    for flag in [1, 2] {
        let mut request = spoken("UnaryCall", "");
        let mut bytes = framed("{}").to_vec();
        bytes[0] = flag;
        *request.body_mut() = Body::new(Full::new(Bytes::from(bytes)));
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], "13", "{flag}");
    }
}
