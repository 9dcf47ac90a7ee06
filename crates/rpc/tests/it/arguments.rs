//! What the arguments of a channel do, each seen from the server's side.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use rpc::{
    Channel, ChannelArgs, ChannelCredentials, ChannelState, Limits, ListenAddress, Listener, Security,
    Serving, Target, Trust,
};
use tasks::{Clock, Tasks};
use tokio::time::timeout;
use tonic::{Code, Request, Status, body::Body};
use wire::grpc::testing::{Empty, test_service_client::TestServiceClient};

use crate::{
    gate::{Gate, Spoken},
    support::{self, SOON, eventually, waits},
    talker,
};

fn channel(target: &Target, args: ChannelArgs) -> Channel {
    Channel::new(target, &ChannelCredentials::insecure(), args).unwrap()
}

fn args(pairs: &[(&str, i64)]) -> ChannelArgs {
    let begin = ChannelArgs::new();
    let set = |args: ChannelArgs, (name, value): &(&str, i64)| args.with(name, *value).unwrap();
    pairs.iter().fold(begin, set)
}

#[tokio::test]
async fn a_channel_names_itself_as_it_was_told_to() {
    let server = talker::Server::start(Security::Plain).await;
    let told = ChannelArgs::new()
        .with("grpc.primary_user_agent", "probe/7")
        .unwrap();
    let own = format!("soke/{}", env!("CARGO_PKG_VERSION"));
    // The given name comes first, and the library's own behind it, as with gRPC's other libraries.
    let both = format!("probe/7 {own}");
    for (args, name) in [(told, both), (ChannelArgs::new(), own)] {
        let mut client = TestServiceClient::new(channel(&server.target(), args));
        client.empty_call(Empty::default()).await.unwrap();
        let metadata = server.notes.metadata.lock().unwrap().pop().unwrap();
        assert_eq!(metadata.get("user-agent").unwrap(), name.as_str());
    }
}

/// The type of the frame that asks whether anybody is there (RFC 9113, section 6.7).
const PING: u8 = 6;

#[tokio::test]
async fn a_connection_whose_server_answers_no_pings_is_given_up_and_its_calls_are_unavailable() {
    let gate = Gate::new().await;
    let quick = [
        ("grpc.keepalive_time_ms", 150),
        ("grpc.keepalive_timeout_ms", 200),
    ];
    let channel = channel(&gate.target(), args(&quick));
    let mut client = TestServiceClient::new(channel.clone());
    let silent = async {
        let mut spoken = Spoken::begin(gate.next().await).await;
        spoken.call().await;
        let mut kinds = Vec::new();
        while let Some((kind, _)) = spoken.next().await {
            kinds.push(kind);
        }
        kinds
    };
    let both = async { tokio::join!(client.unary_call(waits(0)), silent) };
    let (answer, kinds) = timeout(SOON, both).await.expect("it is given up");
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(kinds.contains(&PING), "{kinds:?}");
    eventually("nothing is connected", || {
        channel.state(false) == ChannelState::Idle
    })
    .await;
}

#[tokio::test]
async fn without_calls_a_connection_is_asked_only_where_that_is_permitted() {
    let quick = [
        ("grpc.keepalive_time_ms", 100),
        ("grpc.keepalive_timeout_ms", 200),
    ];
    let (asking, quiet) = (Gate::new().await, Gate::new().await);
    let permitted = args(&quick)
        .with("grpc.keepalive_permit_without_calls", 1)
        .unwrap();
    let asked = channel(&asking.target(), permitted);
    let left = channel(&quiet.target(), args(&quick));
    assert_eq!(left.state(true), ChannelState::Idle);
    let mut left_alone = Spoken::begin(quiet.next().await).await;
    eventually("it is ready", || left.state(false) == ChannelState::Ready).await;
    assert_eq!(asked.state(true), ChannelState::Idle);
    let mut spoken = Spoken::begin(asking.next().await).await;
    let mut kinds = Vec::new();
    while let Some((kind, _)) = spoken.next().await {
        kinds.push(kind);
    }
    assert!(kinds.contains(&PING), "{kinds:?}");
    eventually("it is given up", || asked.state(false) == ChannelState::Idle).await;
    // The other one began before it, and would have been asked by now.
    while let Ok(frame) = timeout(Duration::ZERO, left_alone.next()).await {
        assert_ne!(frame.expect("it stands").0, PING);
    }
    assert_eq!(left.state(false), ChannelState::Ready);
}

#[tokio::test]
async fn a_call_that_runs_keeps_its_channel_from_being_idle() {
    let server = support::Server::start(Security::Plain, Limits::default()).await;
    let channel = channel(&server.target(), args(&[("grpc.client_idle_timeout_ms", 100)]));
    let mut client = TestServiceClient::new(channel.clone());
    let watched = async {
        eventually("it is ready", || channel.state(false) == ChannelState::Ready).await;
        channel.changed_from(ChannelState::Ready).await
    };
    tokio::select! {
        biased;
        answer = client.unary_call(waits(800)) => drop(answer.unwrap()),
        state = watched => panic!("{state:?} while a call runs"),
    }
    eventually("it is idle", || channel.state(false) == ChannelState::Idle).await;
}

#[tokio::test]
async fn waits_between_tries_to_connect_grow() {
    let gate = Gate::new().await;
    let clock = Clock::system();
    let begin = clock.monotonic();
    let channel = channel(
        &gate.target(),
        args(&[("grpc.initial_reconnect_backoff_ms", 100)]),
    );
    assert_eq!(channel.state(true), ChannelState::Idle);
    // 100, 160, 256 and 410 ms, each a fifth shorter at the most. A busy machine makes it later, never sooner.
    for _ in 0..5 {
        drop(gate.next().await);
    }
    let took = clock.monotonic() - begin;
    assert!(took >= Duration::from_millis(740), "{took:?}");
    assert_eq!(channel.state(false), ChannelState::TransientFailure);
}

/// Answers each call with as many bytes of metadata as it asks for, before its message or after it.
async fn wordy(tasks: &Tasks) -> Serving {
    let service = tower::service_fn(|request: http::Request<Body>| async move {
        let asked = |name: &str| {
            let value = request.headers().get(name)?;
            HeaderValue::from_str(&"x".repeat(value.to_str().ok()?.parse().ok()?)).ok()
        };
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        trailers.extend(asked("x-after").map(|value| (http::HeaderName::from_static("x-big"), value)));
        let frames = [
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[0; 5]))),
            Ok(Frame::trailers(trailers)),
        ];
        let mut response = Response::new(Body::new(StreamBody::new(futures::stream::iter(frames))));
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.extend(asked("x-before").map(|value| (http::HeaderName::from_static("x-big"), value)));
        Ok(response)
    });
    let listener = Listener::bind(ListenAddress::loopback(0), Security::Plain).await;
    rpc::serve(listener.unwrap(), service, tasks, Limits::default())
}

#[tokio::test]
async fn metadata_of_an_answer_is_taken_up_to_the_channel_s_limit() {
    let tasks = Tasks::new();
    let serving = wordy(&tasks).await;
    let target = Target::from(serving.address());
    let small = args(&[("grpc.max_metadata_size", 8 * 1024)]);
    let large = args(&[("grpc.max_metadata_size", 128 * 1024)]);
    for (args, fits, not) in [(ChannelArgs::new(), 63, 65), (small, 7, 9), (large, 127, 129)] {
        let mut client = TestServiceClient::new(channel(&target, args));
        let asked = |place: &'static str, kib: usize| {
            let mut request = Request::new(Empty::default());
            let bytes = (kib * 1024).to_string().parse().unwrap();
            request.metadata_mut().insert(place, bytes);
            request
        };
        for place in ["x-before", "x-after"] {
            let answer = client.empty_call(asked(place, fits)).await.unwrap();
            let big = answer.metadata().get("x-big").unwrap();
            assert_eq!(big.as_bytes().len(), fits * 1024, "{place}");
        }
        let status = client.empty_call(asked("x-before", not)).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{status}");
        // Behind the messages what does not fit is left out, and the status that stands before it counts.
        let answer = client.empty_call(asked("x-after", not)).await.unwrap();
        assert!(answer.metadata().get("x-big").is_none());
    }
}

#[tokio::test]
async fn metadata_of_a_request_over_the_server_s_limit_ends_its_call_alone() {
    let server = support::Server::start(Security::Plain, Limits::default()).await;
    let mut client = server.client(&Trust::Plaintext).await;
    let said = async |client: &mut TestServiceClient<Channel>, kib: usize| -> Result<(), Status> {
        let mut request = Request::new(Empty::default());
        let value = "x".repeat(kib * 1024).parse().unwrap();
        request.metadata_mut().insert("x-big", value);
        client.empty_call(request).await.map(drop)
    };
    said(&mut client, 63).await.unwrap();
    let status = said(&mut client, 65).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    said(&mut client, 63).await.expect("the connection goes on");
}
