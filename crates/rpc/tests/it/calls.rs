//! Deadlines, limits and faults of a call.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Full, StreamBody};
use prost::Message as _;
use rpc::{CallLimits, Security, Trust};
use tasks::Clock;
use tokio::time::timeout;
use tonic::{Code, Request, body::Body};
use wire::grpc::testing::{
    Empty, Payload, ResponseParameters, SimpleRequest, StreamingInputCallRequest, StreamingOutputCallRequest,
    test_service_client::TestServiceClient,
};

use crate::support::{SOON, Server, bare, eventually, post, quick, waits};

async fn server() -> Server {
    Server::start(Security::Plain, quick()).await
}

fn allowed<T>(message: T, timeout: &'static str) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("grpc-timeout", timeout.parse().unwrap());
    request
}

fn stream_of(messages: usize, interval_us: i32) -> StreamingOutputCallRequest {
    let one = ResponseParameters {
        size: 1,
        interval_us,
        compressed: None,
    };
    StreamingOutputCallRequest {
        response_parameters: vec![one; messages],
        ..StreamingOutputCallRequest::default()
    }
}

#[tokio::test]
async fn a_call_past_its_deadline_is_deadline_exceeded_and_its_handler_is_gone() {
    let server = server().await;
    let mut client = server.client(&Trust::Plaintext).await;
    let clock = Clock::system();
    let begin = clock.monotonic();
    let status = client
        .unary_call(allowed(waits(60_000), "200m"))
        .await
        .unwrap_err();
    let took = clock.monotonic() - begin;
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(took >= Duration::from_millis(200), "{took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    eventually("the handler is gone", || server.seen.running() == 0).await;
}

#[tokio::test]
async fn a_stream_ends_at_its_deadline_though_it_has_begun() {
    let server = server().await;
    let mut client = server.client(&Trust::Plaintext).await;
    let asked = allowed(stream_of(5, 1_000_000), "1500m");
    let mut stream = client.streaming_output_call(asked).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let status = stream.message().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let clock = Clock::system();
    let begin = clock.monotonic();
    eventually("the handler is gone", || server.seen.running() == 0).await;
    let gone = clock.monotonic() - begin;
    println!("handler gone {gone:?} after its caller heard of the deadline");
    assert!(gone < Duration::from_secs(1), "{gone:?}");
}

#[tokio::test]
async fn a_stream_that_never_pauses_ends_at_its_deadline_too() {
    let server = server().await;
    let mut client = server.client(&Trust::Plaintext).await;
    let ended = async {
        let asked = allowed(stream_of(1, -1), "300m");
        let mut stream = client.streaming_output_call(asked).await?.into_inner();
        while stream.message().await?.is_some() {}
        Ok::<_, tonic::Status>(())
    };
    let status = timeout(SOON, ended).await.expect("the stream ends").unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

/// The gRPC status of an answer, from its trailers or, where it has no body, from its headers.
async fn status_of(answer: http::Response<hyper::body::Incoming>) -> String {
    let early = answer.headers().get("grpc-status").cloned();
    let collected = timeout(SOON, answer.into_body().collect())
        .await
        .expect("the answer ends");
    let late = collected
        .unwrap()
        .trailers()
        .and_then(|trailers| trailers.get("grpc-status").cloned());
    let status = early.or(late).expect("there is a status");
    status.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_server_says_deadline_exceeded_by_itself() {
    let server = server().await;
    let mut sender = bare(&server).await;
    for (method, message, timeout) in [
        ("UnaryCall", waits(60_000).encode_to_vec(), "100m"),
        ("UnaryCall", waits(60_000).encode_to_vec(), "0n"),
        (
            "StreamingOutputCall",
            stream_of(5, 400_000).encode_to_vec(),
            "500m",
        ),
        ("StreamingOutputCall", stream_of(1, -1).encode_to_vec(), "100m"),
    ] {
        let mut framed = vec![0];
        framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        framed.extend(message);
        let mut request = post(&format!("/grpc.testing.TestService/{method}"));
        *request.body_mut() = Body::new(Full::new(Bytes::from(framed)));
        request
            .headers_mut()
            .insert("grpc-timeout", timeout.parse().unwrap());
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(status_of(answer).await, "4", "{method} {timeout}");
        eventually("the handler is gone", || server.seen.running() == 0).await;
    }
}

#[tokio::test]
async fn a_client_says_deadline_exceeded_by_itself() {
    // Nobody accepts here: the connection waits in the backlog.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = rpc::Target::from(silent.local_addr().unwrap());
    let channel = rpc::connect_lazy(&target, &Trust::Plaintext).unwrap();
    let mut client = TestServiceClient::new(channel);
    let mut request = Request::new(Empty::default());
    request.set_timeout(Duration::from_millis(100));
    let status = timeout(SOON, client.empty_call(request))
        .await
        .expect("it ends")
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_call_within_its_deadline_is_not_touched_and_knows_what_is_left() {
    let server = server().await;
    let mut client = server.client(&Trust::Plaintext).await;
    client.empty_call(allowed(Empty::default(), "10S")).await.unwrap();
    client.empty_call(Empty::default()).await.unwrap();
    let asked = allowed(stream_of(3, 1000), "10S");
    let stream = client.streaming_output_call(asked).await.unwrap().into_inner();
    assert_eq!(
        stream.filter(|one| std::future::ready(one.is_ok())).count().await,
        3
    );
    let left = server.seen.deadlines.lock().unwrap().clone();
    let some = left[0].unwrap();
    assert!(
        some > Duration::from_secs(5) && some <= Duration::from_secs(10),
        "{some:?}"
    );
    assert_eq!(left[1], None);
}

#[tokio::test]
async fn a_malformed_deadline_is_refused() {
    let server = server().await;
    let mut client = server.client(&Trust::Plaintext).await;
    for wrong in ["", "1", "x", "-1S", "123456789S", "1s"] {
        let status = client
            .empty_call(allowed(Empty::default(), wrong))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{wrong}");
        assert!(status.message().contains("grpc-timeout"), "{status}");
    }
}

#[tokio::test]
async fn a_message_over_the_limit_is_resource_exhausted_and_one_at_it_passes() {
    let server = server().await;
    let mut client = server.client(&Trust::Plaintext).await;
    let most = usize::try_from(CallLimits::default().message_bytes).unwrap();
    // Field numbers and lengths around the bytes: five for each of the two messages, less one in each.
    for (bytes, fits) in [(most - 10, true), (most - 9, false), (most * 2, false)] {
        let request = SimpleRequest {
            payload: Some(Payload {
                r#type: 0,
                body: vec![b'x'; bytes].into(),
            }),
            ..SimpleRequest::default()
        };
        let answer = client.unary_call(request).await;
        match answer {
            Ok(_) => assert!(fits, "{bytes}"),
            Err(status) => {
                assert!(!fits, "{bytes}: {status}");
                assert_eq!(status.code(), Code::ResourceExhausted);
                assert!(status.message().contains("limit of 4194304 bytes"), "{status}");
            }
        }
    }
}

#[tokio::test]
async fn g10_half_sent_large_messages_are_bounded_together() {
    let server = server().await;
    let mut sender = bare(&server).await;
    let most = CallLimits::default();
    let calls = most.arriving_bytes / usize::try_from(most.message_bytes).unwrap();
    let mut frame = vec![0];
    frame.extend(most.message_bytes.to_be_bytes());
    frame.resize(100, b'x');
    let frame = Bytes::from(frame);
    let mut open = Vec::new();
    let begin = |sender: &mut hyper::client::conn::http2::SendRequest<Body>| {
        let first = futures::stream::iter([Ok::<_, std::convert::Infallible>(http_body::Frame::data(
            frame.clone(),
        ))]);
        let mut request = post("/grpc.testing.TestService/UnaryCall");
        *request.body_mut() = Body::new(StreamBody::new(first.chain(futures::stream::pending())));
        Box::pin(sender.send_request(request))
    };
    // The one too many: whichever it is, one of them is refused, and the others wait on.
    for _ in 0..=calls {
        sender.ready().await.unwrap();
        open.push(begin(&mut sender));
    }
    let (answer, _, rest) = timeout(SOON, futures::future::select_all(open))
        .await
        .expect("one is refused");
    assert_eq!(status_of(answer.unwrap()).await, "8");
    assert_eq!(rest.len(), calls);
    drop(rest);
    let mut client = server.client(&Trust::Plaintext).await;
    let whole = SimpleRequest {
        payload: Some(Payload {
            r#type: 0,
            body: vec![b'x'; 1_000_000].into(),
        }),
        ..SimpleRequest::default()
    };
    let answered = async {
        while client.unary_call(whole.clone()).await.is_err() {
            // may sleep: the server has no event for what it gave back, so it is asked again
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(SOON, answered)
        .await
        .expect("what was dropped has given its part back");
}

#[tokio::test]
async fn a_torn_upload_never_looks_complete() {
    let server = server().await;
    let mut client = server.client(&Trust::Plaintext).await;
    let part = || StreamingInputCallRequest {
        payload: Some(Payload {
            r#type: 0,
            body: vec![b'x'; 100].into(),
        }),
        expect_compressed: None,
    };
    let whole = client
        .streaming_input_call(futures::stream::iter([part(), part()]))
        .await
        .unwrap();
    assert_eq!(whole.into_inner().aggregated_payload_size, 200);
    {
        let half = futures::stream::iter([part()]).chain(futures::stream::pending());
        let call = client.streaming_input_call(half);
        let begun = eventually("the upload has begun", || server.seen.started() == 2);
        tokio::select! {
            answer = call => panic!("answered: {answer:?}"),
            () = begun => {}
        }
    }
    eventually("the handler is gone", || server.seen.running() == 0).await;
    let uploads = server.seen.uploads.lock().unwrap().clone();
    assert_eq!(uploads.iter().filter(|one| one.is_ok()).count(), 1, "{uploads:?}");
}

#[tokio::test]
async fn a_panic_in_a_handler_is_its_own_call_s_internal_error() {
    let server = server().await;
    let mut client = server.client(&Trust::Plaintext).await;
    let mut other = client.clone();
    let (status, others) = tokio::join!(client.unary_call(waits(-1)), other.unary_call(waits(50)));
    let status = status.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Internal, "internal error")
    );
    others.expect("the other call on the connection goes on");
    client.unary_call(waits(0)).await.expect("so does the connection");
}

#[tokio::test]
async fn only_a_post_with_the_grpc_content_type_is_a_call() {
    let server = server().await;
    let mut sender = bare(&server).await;
    for (method, kind, status) in [
        ("POST", "application/grpc", 200),
        ("POST", "application/grpc+proto", 200),
        ("POST", "application/grpc;x=1", 200),
        ("POST", "application/grpc-web", 415),
        ("POST", "application/grpcx", 415),
        ("POST", "application/json", 415),
        ("POST", "", 415),
        ("GET", "application/grpc", 405),
    ] {
        let mut request = post("/grpc.testing.TestService/EmptyCall");
        *request.method_mut() = method.parse().unwrap();
        request
            .headers_mut()
            .insert("content-type", kind.parse().unwrap());
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), status, "{method} {kind}");
    }
}

#[tokio::test]
async fn a_body_that_ends_inside_a_message_is_an_error() {
    let server = server().await;
    let mut sender = bare(&server).await;
    let half = bytes::Bytes::from_static(&[0, 0, 0, 0, 9, 1]);
    let frames = futures::stream::iter([Ok::<_, std::convert::Infallible>(http_body::Frame::data(half))]);
    let mut request = post("/grpc.testing.TestService/EmptyCall");
    *request.body_mut() = Body::new(StreamBody::new(frames));
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.headers().get("grpc-status").unwrap(), "13");
}

#[tokio::test]
async fn trailers_inside_a_message_do_not_make_an_upload_whole() {
    let server = server().await;
    let mut sender = bare(&server).await;
    let half = bytes::Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1]);
    let frames = [
        http_body::Frame::data(half),
        http_body::Frame::trailers(http::HeaderMap::from_iter([(
            http::header::EXPIRES,
            http::HeaderValue::from_static("0"),
        )])),
    ];
    let frames = futures::stream::iter(frames.map(Ok::<_, std::convert::Infallible>));
    let mut request = post("/grpc.testing.TestService/StreamingInputCall");
    *request.body_mut() = Body::new(StreamBody::new(frames));
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.headers().get("grpc-status").unwrap(), "13");
    let uploads = server.seen.uploads.lock().unwrap().clone();
    assert_eq!(uploads, [Err(Code::Internal)]);
}
