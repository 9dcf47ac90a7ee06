//! What both sides of a call see: orders of messages, early answers, two judgements of one call.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::StreamExt as _;
use rpc::{End, Security, Target, Trust};
use tasks::{Clock, Policy, Tasks};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::{Notify, mpsc},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request};
use wire::grpc::testing::{
    Payload, ResponseParameters, SimpleRequest, StreamingInputCallRequest, StreamingOutputCallRequest,
    test_service_client::TestServiceClient,
};

use crate::{support::SOON, talker::Server};

fn sized(size: i32) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        response_parameters: vec![ResponseParameters {
            size,
            ..Default::default()
        }],
        ..StreamingOutputCallRequest::default()
    }
}

fn part(size: usize) -> StreamingInputCallRequest {
    StreamingInputCallRequest {
        payload: Some(Payload {
            r#type: 0,
            body: vec![b'x'; size].into(),
        }),
        expect_compressed: None,
    }
}

fn length(answer: Option<wire::grpc::testing::StreamingOutputCallResponse>) -> usize {
    answer
        .expect("a message")
        .payload
        .map_or(0, |payload| payload.body.len())
}

#[tokio::test]
async fn a_server_may_speak_first_and_then_answer_message_by_message() {
    let server = Server::start(Security::Plain).await;
    let (ask, asked) = mpsc::channel(1);
    let call = server
        .client()
        .await
        .full_duplex_call(ReceiverStream::new(asked))
        .await;
    let mut stream = call.unwrap().into_inner();
    assert_eq!(
        length(stream.message().await.unwrap()),
        1,
        "nothing was asked yet"
    );
    for size in [31_415, 9, 2653, 58_979] {
        ask.send(sized(size)).await.unwrap();
        let answered = timeout(SOON, stream.message()).await.expect("each is answered");
        assert_eq!(length(answered.unwrap()), usize::try_from(size).unwrap());
    }
    drop(ask);
    assert!(stream.message().await.unwrap().is_none());
}

#[tokio::test]
async fn a_server_may_hear_everything_before_it_answers() {
    let server = Server::start(Security::Plain).await;
    let asked = futures::stream::iter([3, 1, 2].map(sized));
    let mut stream = server
        .client()
        .await
        .half_duplex_call(asked)
        .await
        .unwrap()
        .into_inner();
    for size in [3, 1, 2] {
        assert_eq!(length(stream.message().await.unwrap()), size);
    }
    assert!(stream.message().await.unwrap().is_none());
}

#[tokio::test]
async fn ten_thousand_messages_keep_their_order_in_both_directions() {
    let server = Server::start(Security::Plain).await;
    let asked = futures::stream::iter((0..10_000).map(sized));
    let call = server.client().await.full_duplex_call(asked).await.unwrap();
    let mut stream = call.into_inner();
    assert_eq!(length(stream.message().await.unwrap()), 1);
    for size in 0..10_000 {
        assert_eq!(length(stream.message().await.unwrap()), size);
    }
    assert!(stream.message().await.unwrap().is_none());
}

#[tokio::test]
async fn a_server_may_answer_before_its_caller_has_sent_everything() {
    let server = Server::start(Security::Plain).await;
    let parts = futures::stream::iter([part(10), part(2000)]).chain(futures::stream::pending());
    let mut client = server.client().await;
    let answer = timeout(SOON, client.streaming_input_call(parts)).await;
    let answer = answer.expect("it answers while the upload goes on").unwrap();
    assert_eq!(answer.into_inner().aggregated_payload_size, 2010);
    client
        .unary_call(SimpleRequest::default())
        .await
        .expect("the connection goes on");
}

#[tokio::test]
async fn five_messages_of_which_the_second_is_late_end_with_code_4_on_both_sides() {
    let server = Server::start(Security::Plain).await;
    let mut client = server.client().await;
    let late = ResponseParameters {
        size: 1,
        interval_us: 400_000,
        compressed: None,
    };
    let asked = || {
        let mut request = Request::new(StreamingOutputCallRequest {
            response_parameters: vec![late; 5],
            ..StreamingOutputCallRequest::default()
        });
        request.set_timeout(Duration::from_millis(500));
        request
    };
    let clock = Clock::system();
    // Each side ends it by itself. A caller whose clock is the first to be looked at also leaves, and then that is what
    // the other side notes; so it is told by a round in which both came to the end of the time.
    for round in 1..=10 {
        let begin = clock.monotonic();
        let mut messages = 0;
        let status = async {
            let mut stream = client.streaming_output_call(asked()).await?.into_inner();
            while stream.message().await?.is_some() {
                messages += 1;
            }
            Ok::<_, tonic::Status>(())
        }
        .await
        .unwrap_err();
        let took = clock.monotonic() - begin;
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(
            messages <= 1 && took >= Duration::from_millis(500),
            "{messages} in {took:?}"
        );
        let (end, cancelled) = server.ends(round).await[round - 1];
        assert!(cancelled && end != End::Answered);
        if end == End::DeadlinePassed {
            return;
        }
    }
    panic!("the server never came to the end of the time by itself");
}

/// A way to a server on which answers wait, once it is closed, until they are let through.
#[derive(Default)]
struct Gated {
    closed: AtomicBool,
    opened: Notify,
}

impl Gated {
    async fn lead(self: &Arc<Self>, server: &Server, tasks: &Tasks) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::from(listener.local_addr().unwrap());
        let (onward, way) = (server.serving.address(), Arc::clone(self));
        tasks.spawn("gated way", Policy::MayEnd, async move {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = tokio::net::TcpStream::connect(onward).await.unwrap();
            let (mut from_near, mut to_near) = near.split();
            let (mut from_far, mut to_far) = far.split();
            let there = tokio::io::copy(&mut from_near, &mut to_far);
            let back = async {
                let mut bytes = [0; 4096];
                loop {
                    let count = from_far.read(&mut bytes).await?;
                    if way.closed.swap(false, Ordering::SeqCst) {
                        way.opened.notified().await;
                    }
                    if count == 0 {
                        return to_near.shutdown().await;
                    }
                    to_near.write_all(&bytes[..count]).await?;
                }
            };
            drop(tokio::join!(there, back));
        });
        target
    }
}

#[tokio::test]
async fn a_server_may_say_ok_while_its_caller_says_deadline_exceeded() {
    let server = Server::start(Security::Plain).await;
    let tasks = Tasks::new();
    let gate = Arc::<Gated>::default();
    let target = gate.lead(&server, &tasks).await;
    let channel = rpc::connect(&target, &Trust::Plaintext).await.unwrap();
    gate.closed.store(true, Ordering::SeqCst);
    let mut request = Request::new(SimpleRequest::default());
    request.set_timeout(Duration::from_secs(2));
    let status = TestServiceClient::new(channel)
        .unary_call(request)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(server.ends(1).await[0], (End::Answered, false));
    gate.opened.notify_one();
}
