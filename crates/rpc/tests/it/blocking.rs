//! The four kinds of calls from a thread that knows no futures.

use std::time::Duration;

use rpc::{Blocking, CallOptions, Cancel, ChannelArgs, ChannelCredentials, ChannelState, End, Security};
use tasks::Clock;
use tonic::{Code, Request};
use wire::grpc::testing::{
    Payload, ResponseParameters, SimpleRequest, StreamingInputCallRequest, StreamingOutputCallRequest,
    test_service_client::TestServiceClient,
};

use crate::{
    support::{self, SOON},
    talker::Server,
};

fn with<T>(message: T, options: CallOptions) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(options);
    request
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

#[test]
fn a_thread_makes_all_four_kinds_of_calls() {
    let elsewhere = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = elsewhere.block_on(Server::start(Security::Plain));
    let credentials = ChannelCredentials::insecure();
    let blocking = Blocking::new(&server.target(), &credentials, ChannelArgs::new()).unwrap();
    assert_eq!(blocking.channel().state(false), ChannelState::Idle);
    let mut client = TestServiceClient::new(blocking.channel());

    blocking
        .wait(client.unary_call(SimpleRequest::default()))
        .unwrap();
    assert_eq!(blocking.channel().state(false), ChannelState::Ready);

    let stream = blocking
        .wait(client.streaming_output_call(sized(&[3, 1, 2])))
        .unwrap();
    let lengths = blocking
        .answers(stream.into_inner())
        .map(|one| one.unwrap().payload.unwrap().body.len());
    assert_eq!(lengths.collect::<Vec<_>>(), [3, 1, 2]);

    let (requests, asked) = blocking.requests(1);
    let sent = std::thread::scope(|scope| {
        scope.spawn(move || {
            for size in 1..=100 {
                let payload = Payload {
                    r#type: 0,
                    body: vec![b'x'; size].into(),
                };
                assert!(requests.send(StreamingInputCallRequest {
                    payload: Some(payload),
                    expect_compressed: None,
                }));
            }
            requests.close();
        });
        blocking.wait(client.streaming_input_call(asked))
    });
    assert_eq!(sent.unwrap().into_inner().aggregated_payload_size, 5050);

    let (requests, asked) = blocking.requests(1);
    let stream = blocking.wait(client.full_duplex_call(asked)).unwrap();
    let mut answers = blocking.answers(stream.into_inner());
    answers.next().unwrap().expect("the server speaks first");
    for size in [5, 6, 7] {
        assert!(requests.send(sized(&[size])));
        let answer = answers.next().unwrap().unwrap();
        assert_eq!(answer.payload.unwrap().body.len(), usize::try_from(size).unwrap());
    }
    requests.close();
    assert!(answers.next().is_none());

    // A failure ends the answers, and so does leaving them.
    let failing = StreamingOutputCallRequest {
        response_parameters: vec![ResponseParameters {
            size: 1,
            interval_us: 60_000_000,
            compressed: None,
        }],
        ..StreamingOutputCallRequest::default()
    };
    let mut late = tonic::Request::new(failing.clone());
    late.set_timeout(std::time::Duration::from_secs(2));
    let stream = blocking.wait(client.streaming_output_call(late)).unwrap();
    let mut answers = blocking.answers(stream.into_inner());
    assert_eq!(
        answers.next().unwrap().unwrap_err().code(),
        Code::DeadlineExceeded
    );
    assert!(answers.next().is_none());
    let stream = blocking.wait(client.streaming_output_call(failing)).unwrap();
    drop(blocking.answers(stream.into_inner()));
    let ends = elsewhere.block_on(server.ends(5));
    assert_eq!(ends[4].0, End::Cancelled);
}

#[test]
fn a_thread_sets_deadlines_and_cancels_calls_of_every_kind() {
    let elsewhere = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = elsewhere.block_on(Server::start(Security::Plain));
    let credentials = ChannelCredentials::insecure();
    let blocking = Blocking::new(&server.target(), &credentials, ChannelArgs::new()).unwrap();
    let mut client = TestServiceClient::new(blocking.channel());
    let for_ever = || SimpleRequest {
        response_size: -1,
        ..SimpleRequest::default()
    };
    let slow = || StreamingOutputCallRequest {
        response_parameters: vec![ResponseParameters {
            size: 1,
            interval_us: 60_000_000,
            compressed: None,
        }],
        ..StreamingOutputCallRequest::default()
    };

    // A deadline ends a call, a stream of answers, and an upload that is never closed.
    let soon = || CallOptions {
        deadline: Some(Clock::system().monotonic() + Duration::from_millis(300)),
        ..CallOptions::default()
    };
    let status = blocking
        .wait(client.unary_call(with(for_ever(), soon())))
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let answer = blocking
        .wait(client.streaming_output_call(with(slow(), soon())))
        .map(|stream| blocking.answers(stream.into_inner()).next().unwrap());
    let status = answer.and_then(|first| first).unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let (requests, asked) = blocking.requests::<StreamingInputCallRequest>(1);
    let status = blocking
        .wait(client.streaming_input_call(with(asked, soon())))
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let gone = testbed::eventually_blocking(SOON, || !requests.send(StreamingInputCallRequest::default()));
    assert!(gone, "the sender hears that its call has ended");

    // Another thread cancels a call that is waited for, and one whose answers are; the server has seen no other.
    let server = elsewhere.block_on(Server::start(Security::Plain));
    let blocking = Blocking::new(&server.target(), &credentials, ChannelArgs::new()).unwrap();
    let mut client = TestServiceClient::new(blocking.channel());
    let cancelled = |cancel: &Cancel| CallOptions {
        cancel: Some(cancel.clone()),
        ..CallOptions::default()
    };
    let cancel = Cancel::new();
    let status = std::thread::scope(|scope| {
        scope.spawn(|| {
            let entered = async { tokio::time::timeout(SOON, server.notes.entered.notified()).await };
            let entered = elsewhere.block_on(entered);
            cancel.cancel();
            entered.expect("the call comes");
        });
        blocking.wait(client.unary_call(with(for_ever(), cancelled(&cancel))))
    });
    assert_eq!(status.unwrap_err().code(), Code::Cancelled);
    let cancel = Cancel::new();
    let (requests, asked) = blocking.requests(1);
    let stream = blocking
        .wait(client.full_duplex_call(with(asked, cancelled(&cancel))))
        .unwrap();
    let mut answers = blocking.answers(stream.into_inner());
    answers.next().unwrap().expect("the server speaks first");
    std::thread::scope(|scope| {
        scope.spawn(|| cancel.cancel());
        assert_eq!(answers.next().unwrap().unwrap_err().code(), Code::Cancelled);
    });
    let gone = testbed::eventually_blocking(SOON, || !requests.send(StreamingOutputCallRequest::default()));
    assert!(gone, "the sender hears that its call has ended");
    let ends = elsewhere.block_on(server.ends(2));
    assert_eq!(ends, [(End::Cancelled, true), (End::Cancelled, true)]);
}

#[test]
fn an_upload_that_a_thread_gives_up_is_cancelled_and_commits_nothing() {
    let elsewhere = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = elsewhere.block_on(support::Server::start(Security::Plain, support::quick()));
    let credentials = ChannelCredentials::insecure();
    let blocking = Blocking::new(&server.target(), &credentials, ChannelArgs::new()).unwrap();
    let mut client = TestServiceClient::new(blocking.channel());
    let uploads = || server.seen.uploads.lock().unwrap().clone();
    for (compress, faulty) in [(None, true), (Some(true), false)] {
        let (requests, asked) = blocking.requests(1);
        let options = CallOptions {
            compress,
            ..CallOptions::default()
        };
        let answer = std::thread::scope(|scope| {
            let sender = scope.spawn(move || {
                assert!(requests.send(StreamingInputCallRequest::default()));
                assert!(!faulty, "as planned: this thread ends in the middle");
            });
            let answer = blocking.wait(client.streaming_input_call(with(asked, options)));
            assert_eq!(sender.join().is_err(), faulty);
            answer
        });
        assert_eq!(answer.unwrap_err().code(), Code::Cancelled);
        let torn = testbed::eventually_blocking(SOON, || {
            server.seen.running() == 0 && uploads().iter().all(Result::is_err)
        });
        assert!(torn, "{:?}", uploads());
    }
}

#[tokio::test]
async fn a_channel_whose_thread_is_gone_says_so_instead_of_waiting() {
    let server = Server::start(Security::Plain).await;
    let target = server.target();
    let made = tokio::task::spawn_blocking(move || {
        let blocking = Blocking::new(&target, &ChannelCredentials::insecure(), ChannelArgs::new()).unwrap();
        blocking.channel()
    });
    let channel = made.await.unwrap();
    let call = async {
        let mut client = TestServiceClient::new(channel.clone());
        client.unary_call(SimpleRequest::default()).await
    };
    let answer = tokio::time::timeout(SOON, call).await.expect("it ends");
    assert_eq!(answer.unwrap_err().code(), Code::Cancelled);
    assert_eq!(channel.state(true), ChannelState::Shutdown);
}

#[tokio::test]
async fn a_blocking_channel_may_be_made_and_dropped_anywhere() {
    let server = Server::start(Security::Plain).await;
    let credentials = ChannelCredentials::insecure();
    let blocking = Blocking::new(&server.target(), &credentials, ChannelArgs::new()).unwrap();
    let called = tokio::task::spawn_blocking(move || {
        let mut client = TestServiceClient::new(blocking.channel());
        let stream = blocking
            .wait(client.streaming_output_call(sized(&[1, 2])))
            .unwrap();
        (blocking.answers(stream.into_inner()), blocking)
    });
    // Its own calls are for threads that may wait, its end is not.
    drop(called.await.unwrap());
    server.ends(1).await;
}
