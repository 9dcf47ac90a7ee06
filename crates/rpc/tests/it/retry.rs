//! Calls that are made again: which, when, how often, and what is sent.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt as _;
use rpc::{
    CallLimits, CallOptions, Calls, Cancel, Channel, ChannelArgs, ChannelCredentials, Deadline, Limits,
    ListenAddress, Listener, Security, Serving,
};
use tasks::{Clock, Tasks};
use tonic::{
    Code, Request, Response, Status, Streaming, codegen::BoxStream, metadata::MetadataMap, service::Routes,
};
use wire::grpc::testing::{
    Empty, Payload, SimpleRequest, SimpleResponse, StreamingInputCallRequest, StreamingInputCallResponse,
    StreamingOutputCallRequest, StreamingOutputCallResponse,
    test_service_client::TestServiceClient,
    test_service_server::{TestService, TestServiceServer},
};

use crate::{
    gate::{Gate, Spoken},
    raw::literal,
    support::{self, SOON, eventually},
    talker,
};

/// Fails as planned, and then answers.
#[derive(Debug, Clone, Default)]
struct Failing {
    plan: Arc<Mutex<VecDeque<Status>>>,
    /// For each try, how many were said to be before it.
    tries: Arc<Mutex<Vec<Option<String>>>>,
    /// What proved each of them.
    proofs: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Failing {
    fn enter(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let previous = metadata.get("grpc-previous-rpc-attempts");
        let previous = previous.map(|count| count.to_str().unwrap().to_owned());
        self.tries.lock().unwrap().push(previous);
        let proofs = metadata.get_all("x-proof").iter();
        let proofs = proofs.map(|proof| proof.to_str().unwrap().to_owned()).collect();
        self.proofs.lock().unwrap().push(proofs);
        match self.plan.lock().unwrap().pop_front() {
            Some(status) => Err(status),
            None => Ok(()),
        }
    }
}

#[tonic::async_trait]
impl TestService for Failing {
    async fn empty_call(&self, request: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.enter(request.metadata())?;
        Ok(Response::new(Empty::default()))
    }

    /// Waits for ever where the size is negative, and tells how much time was left where it is not.
    async fn unary_call(&self, request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        let left = Deadline::current().map(|left| left.time_remaining().as_millis());
        self.enter(request.metadata())?;
        if request.into_inner().response_size < 0 {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(SimpleResponse {
            username: format!("{left:?}"),
            ..SimpleResponse::default()
        }))
    }

    /// Fails after it has begun.
    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<Response<BoxStream<StreamingOutputCallResponse>>, Status> {
        let failed = self.enter(request.metadata());
        let first = Ok(StreamingOutputCallResponse::default());
        let stream = futures::stream::iter([Some(first), failed.err().map(Err)]);
        Ok(Response::new(Box::pin(stream.filter_map(std::future::ready))))
    }

    /// Fails after the second message.
    async fn streaming_input_call(
        &self,
        request: Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let failed = self.enter(request.metadata());
        let mut stream = request.into_inner();
        let (mut sum, mut count) = (0, 0);
        while let Some(part) = stream.message().await? {
            sum += part.payload.map_or(0, |payload| payload.body.len());
            count += 1;
            if count == 2 {
                failed.clone()?;
            }
        }
        Ok(Response::new(StreamingInputCallResponse {
            aggregated_payload_size: i32::try_from(sum).unwrap(),
        }))
    }
}

/// A served one.
struct Server {
    serving: Serving,
    failing: Failing,
    _tasks: Tasks,
}

impl Server {
    async fn start() -> Self {
        let (tasks, failing) = (Tasks::new(), Failing::default());
        let routes = Routes::new(TestServiceServer::new(failing.clone()));
        let calls = Calls::new(routes, CallLimits::default());
        let listener = Listener::bind(ListenAddress::loopback(0), Security::Plain).await;
        let serving = rpc::serve(listener.unwrap(), calls, &tasks, Limits::default());
        Self {
            serving,
            failing,
            _tasks: tasks,
        }
    }

    fn client(&self, args: ChannelArgs) -> TestServiceClient<Channel> {
        client(&self.serving.address().into(), args)
    }

    /// Plans so many failures.
    fn plan(&self, statuses: impl IntoIterator<Item = Status>) {
        self.failing.plan.lock().unwrap().extend(statuses);
    }

    fn tries(&self) -> Vec<Option<String>> {
        std::mem::take(&mut *self.failing.tries.lock().unwrap())
    }
}

fn client(target: &rpc::Target, args: ChannelArgs) -> TestServiceClient<Channel> {
    TestServiceClient::new(Channel::new(target, &ChannelCredentials::insecure(), args).unwrap())
}

/// All methods but `EmptyCall` may be made again, with this wait before the first time.
fn repeatable(first_wait: &str) -> ChannelArgs {
    let config = format!(
        r#"{{"methodConfig": [
            {{"name": [{{"service": "grpc.testing.TestService"}}], "retryPolicy": {{
                "maxAttempts": 4, "initialBackoff": "{first_wait}", "maxBackoff": "100s", "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"]
            }}}},
            {{"name": [{{"service": "grpc.testing.TestService", "method": "EmptyCall"}}]}}
        ]}}"#
    );
    configured(&config)
}

fn configured(config: &str) -> ChannelArgs {
    ChannelArgs::new().with("grpc.service_config", config).unwrap()
}

fn unavailable(times: usize) -> Vec<Status> {
    vec![Status::unavailable("as planned"); times]
}

fn said(counts: &[u32]) -> Vec<Option<String>> {
    let text = |count: &u32| (*count > 0).then(|| count.to_string());
    counts.iter().map(text).collect()
}

fn parts(count: usize) -> impl futures::Stream<Item = StreamingInputCallRequest> {
    let part = |_| StreamingInputCallRequest {
        payload: Some(Payload {
            r#type: 0,
            body: vec![b'x'; 1000].into(),
        }),
        expect_compressed: None,
    };
    futures::stream::iter((0..count).map(part))
}

#[tokio::test]
async fn a_repeatable_call_is_made_again_until_it_goes_well_or_the_tries_are_used_up() {
    let server = Server::start().await;
    let mut client = server.client(repeatable("0.01s"));
    server.plan(unavailable(2));
    client.unary_call(SimpleRequest::default()).await.unwrap();
    assert_eq!(server.tries(), said(&[0, 1, 2]));

    server.plan(
        unavailable(3)
            .into_iter()
            .chain([Status::unavailable("the last")]),
    );
    let status = client.unary_call(SimpleRequest::default()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the last"));
    assert_eq!(server.tries(), said(&[0, 1, 2, 3]));

    let other = [Status::unavailable("again"), Status::aborted("not again")];
    server.plan(other);
    let status = client.unary_call(SimpleRequest::default()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Aborted, "not again"));
    assert_eq!(server.tries(), said(&[0, 1]));
}

#[tokio::test]
async fn a_call_that_nobody_said_to_be_repeatable_is_made_once() {
    let server = Server::start().await;
    let off = repeatable("0.01s").with("grpc.enable_retries", 0).unwrap();
    for (args, named) in [
        (repeatable("0.01s"), false),
        (ChannelArgs::new(), true),
        (off, true),
    ] {
        let mut client = server.client(args);
        server.plan(unavailable(1));
        let code = if named {
            client
                .unary_call(SimpleRequest::default())
                .await
                .unwrap_err()
                .code()
        } else {
            client.empty_call(Empty::default()).await.unwrap_err().code()
        };
        assert_eq!(code, Code::Unavailable);
        assert_eq!(server.tries(), said(&[0]));
    }
}

#[tokio::test]
async fn an_answer_that_has_begun_is_never_asked_for_again() {
    let server = Server::start().await;
    let mut client = server.client(repeatable("0.01s"));
    server.plan(unavailable(1));
    let call = client.streaming_output_call(StreamingOutputCallRequest::default());
    let mut stream = call.await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let status = stream.message().await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "as planned")
    );
    assert_eq!(server.tries(), said(&[0]));
}

#[tokio::test]
async fn an_upload_is_sent_again_from_its_begin_within_a_bound() {
    let server = Server::start().await;
    let mut client = server.client(repeatable("0.01s"));
    server.plan(unavailable(2));
    let answer = client.streaming_input_call(parts(5)).await.unwrap().into_inner();
    assert_eq!(answer.aggregated_payload_size, 5000);
    assert_eq!(server.tries(), said(&[0, 1, 2]));

    // Its messages need not be there at the begin, and it may be compressed.
    let (send, later) = tokio::sync::mpsc::channel(1);
    let mut request = Request::new(tokio_stream::wrappers::ReceiverStream::new(later));
    request.extensions_mut().insert(CallOptions {
        compress: Some(true),
        ..CallOptions::default()
    });
    server.plan(unavailable(1));
    let call = client.streaming_input_call(request);
    let tries = || server.failing.tries.lock().unwrap().len();
    let sending = async {
        let mut parts = Box::pin(parts(4));
        for _ in 0..2 {
            send.send(parts.next().await.unwrap()).await.unwrap();
        }
        eventually("it is made again", || tries() == 2).await;
        while let Some(part) = parts.next().await {
            send.send(part).await.unwrap();
        }
        drop(send);
    };
    let (answer, ()) = tokio::join!(call, sending);
    assert_eq!(answer.unwrap().into_inner().aggregated_payload_size, 4000);
    server.tries();

    let small = repeatable("0.01s")
        .with("grpc.per_rpc_retry_buffer_size", 1500)
        .unwrap();
    server.plan(unavailable(1));
    let status = server
        .client(small)
        .streaming_input_call(parts(5))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(server.tries(), said(&[0]));
}

#[tokio::test]
async fn a_server_says_when_it_wants_the_call_again() {
    let server = Server::start().await;
    // Longer than anybody waits here.
    let mut client = server.client(repeatable("90s"));
    let pushed = |value: &str| {
        let metadata = talker::one("grpc-retry-pushback-ms", value);
        Status::with_metadata(Code::Unavailable, "as planned", metadata)
    };
    server.plan([pushed("1"), pushed("0")]);
    client.unary_call(SimpleRequest::default()).await.unwrap();
    assert_eq!(server.tries(), said(&[0, 1, 2]));
    server.plan([pushed("-1")]);
    let status = client.unary_call(SimpleRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(server.tries(), said(&[0]));
}

#[tokio::test]
async fn a_call_that_waits_to_be_made_again_ends_at_its_deadline_and_when_it_is_cancelled() {
    let server = Server::start().await;
    let mut client = server.client(repeatable("90s"));
    server.plan(unavailable(2));
    let mut request = Request::new(SimpleRequest::default());
    request.set_timeout(Duration::from_secs(3));
    let status = client.unary_call(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(server.tries(), said(&[0]));

    let cancel = Cancel::new();
    let mut request = Request::new(SimpleRequest::default());
    request.extensions_mut().insert(CallOptions {
        cancel: Some(cancel.clone()),
        ..CallOptions::default()
    });
    let cancelled = async {
        eventually("it was tried", || {
            !server.failing.tries.lock().unwrap().is_empty()
        })
        .await;
        cancel.cancel();
    };
    let (answer, ()) = tokio::join!(client.unary_call(request), cancelled);
    assert_eq!(answer.unwrap_err().code(), Code::Cancelled);
    assert_eq!(server.tries(), said(&[0]));
}

#[tokio::test]
async fn while_too_many_calls_fail_none_is_made_again() {
    let server = Server::start().await;
    let config = r#"{
        "methodConfig": [{"name": [{}], "retryPolicy": {
            "maxAttempts": 2, "initialBackoff": "0.01s", "maxBackoff": "1s", "backoffMultiplier": 2,
            "retryableStatusCodes": [14]
        }}],
        "retryThrottling": {"maxTokens": 3, "tokenRatio": 1}
    }"#;
    let mut client = server.client(configured(config));
    // Two tries that fail leave one of three tokens.
    server.plan(unavailable(2));
    client.unary_call(SimpleRequest::default()).await.unwrap_err();
    assert_eq!(server.tries(), said(&[0, 1]));
    server.plan(unavailable(1));
    client.unary_call(SimpleRequest::default()).await.unwrap_err();
    assert_eq!(server.tries(), said(&[0]));
    // What goes well gives them back, with and without messages in its answer.
    for _ in 0..3 {
        client.unary_call(SimpleRequest::default()).await.unwrap();
    }
    server.tries();
    server.plan(unavailable(1));
    client.unary_call(SimpleRequest::default()).await.unwrap();
    assert_eq!(server.tries(), said(&[0, 1]));
}

#[tokio::test]
async fn a_service_config_gives_methods_their_time_and_has_them_wait() {
    let server = Server::start().await;
    let config = r#"{"methodConfig": [
        {"name": [{"service": "grpc.testing.TestService", "method": "UnaryCall"}], "timeout": "50s"},
        {"name": [{"service": "grpc.testing.TestService", "method": "EmptyCall"}],
         "timeout": "0.2s", "waitForReady": true}
    ]}"#;
    let args = configured(config).with_deadline(Duration::from_secs(500));
    let mut client_there = server.client(args.clone());
    for (own, least, most) in [(None, 20, 50), (Some(5), 0, 5), (Some(400), 20, 50)] {
        let mut request = Request::new(SimpleRequest::default());
        if let Some(secs) = own {
            request.set_timeout(Duration::from_secs(secs));
        }
        let answer = client_there.unary_call(request).await.unwrap().into_inner();
        let left: u64 = answer.username["Some(".len()..]
            .trim_end_matches(')')
            .parse()
            .unwrap();
        assert!((least * 1000..=most * 1000).contains(&left), "{own:?}: {left} ms");
    }
    // Nobody is there: one method waits for its time, the other fails at once.
    let gate = Gate::new().await;
    let target = gate.target();
    drop(gate);
    let mut client = client(&target, args);
    let (clock, begin) = (Clock::system(), Clock::system().monotonic());
    let status = client.empty_call(Empty::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(clock.monotonic() - begin >= Duration::from_millis(200));
    let status = client.unary_call(SimpleRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_call_whose_connection_breaks_is_made_again_only_where_it_is_repeatable() {
    let server = Server::start().await;
    let gate = Gate::new().await;
    let breaks = async || {
        let mut spoken = Spoken::begin(gate.next().await).await;
        spoken.call().await;
    };
    let mut plain = client(&gate.target(), ChannelArgs::new());
    let (answer, ()) = tokio::join!(plain.unary_call(SimpleRequest::default()), breaks());
    assert_eq!(answer.unwrap_err().code(), Code::Unavailable);
    assert!(!gate.has_next().await);

    let mut repeatable = client(&gate.target(), repeatable("0.01s"));
    let then_leads_on = async {
        breaks().await;
        gate.onward(gate.next().await, server.serving.address())
    };
    let (answer, _way) = tokio::join!(repeatable.unary_call(SimpleRequest::default()), then_leads_on);
    answer.unwrap();
    assert_eq!(server.tries(), said(&[1]));
}

/// RST_STREAM and GOAWAY, and the code with which a server refuses a stream (RFC 9113, sections 6 and 7).
const RESET: u8 = 3;
const GO_AWAY: u8 = 7;
const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];

#[tokio::test]
async fn a_call_that_the_server_refuses_unseen_is_made_again_once_by_itself() {
    let gate = Gate::new().await;
    let mut client = client(&gate.target(), ChannelArgs::new());
    let answers = async {
        let mut spoken = Spoken::begin(gate.next().await).await;
        let refused = spoken.call().await;
        spoken.say(RESET, 0, refused, &REFUSED_STREAM).await;
        let taken = spoken.call().await;
        let head = [
            vec![0x88],
            literal("content-type", "application/grpc"),
            literal("grpc-status", "0"),
        ];
        spoken.say(1, 5, taken, &head.concat()).await;
        for _ in 0..2 {
            let refused = spoken.call().await;
            spoken.say(RESET, 0, refused, &REFUSED_STREAM).await;
        }
        spoken
    };
    let asked = async {
        let first = client
            .streaming_output_call(StreamingOutputCallRequest::default())
            .await;
        assert!(first.unwrap().into_inner().message().await.unwrap().is_none());
        client.unary_call(SimpleRequest::default()).await.unwrap_err()
    };
    let (_spoken, status) = tokio::join!(answers, asked);
    assert_eq!(status.code(), Code::Unavailable, "{status}");

    // Without any retries it is not.
    let off = ChannelArgs::new().with("grpc.enable_retries", 0).unwrap();
    let gate = Gate::new().await;
    let mut client = self::client(&gate.target(), off);
    let refuses = async {
        let mut spoken = Spoken::begin(gate.next().await).await;
        let refused = spoken.call().await;
        spoken.say(RESET, 0, refused, &REFUSED_STREAM).await;
        spoken
    };
    let (answer, _spoken) = tokio::join!(client.unary_call(SimpleRequest::default()), refuses);
    assert_eq!(answer.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_call_that_a_stopping_server_has_not_begun_goes_to_the_next_connection() {
    let server = Server::start().await;
    let gate = Gate::new().await;
    let mut client = client(&gate.target(), ChannelArgs::new());
    let leads_on = async {
        let mut spoken = Spoken::begin(gate.next().await).await;
        spoken.call().await;
        // The last stream that was taken is none, and nothing is wrong.
        spoken.say(GO_AWAY, 0, 0, &[0; 8]).await;
        (spoken, gate.onward(gate.next().await, server.serving.address()))
    };
    let call = client.unary_call(SimpleRequest::default());
    let (answer, _held) = tokio::join!(call, leads_on);
    answer.unwrap();
    assert_eq!(server.tries(), said(&[0]));
}

#[tokio::test]
async fn an_answer_without_a_status_is_no_success() {
    let gate = Gate::new().await;
    let mut client = client(&gate.target(), ChannelArgs::new());
    let answers = async {
        let mut spoken = Spoken::begin(gate.next().await).await;
        let head = [vec![0x88], literal("content-type", "application/grpc")].concat();
        let call = spoken.call().await;
        spoken.say(1, 4, call, &head).await;
        // One empty message, and an end without trailers.
        spoken.say(0, 1, call, &[0; 5]).await;
        spoken
    };
    let asked = async {
        let call = client.streaming_output_call(StreamingOutputCallRequest::default());
        let mut stream = call.await.unwrap().into_inner();
        assert!(stream.message().await.unwrap().is_some());
        stream.message().await.unwrap_err()
    };
    let both = tokio::time::timeout(SOON, async { tokio::join!(answers, asked) });
    let (_spoken, status) = both.await.expect("it ends");
    assert_eq!(status.code(), Code::Internal, "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_while_connections_are_given_up_under_load() {
    let limits = Limits {
        age: Some(Duration::from_millis(60)),
        ..Limits::default()
    };
    let server = support::Server::start(Security::Plain, limits).await;
    let channel = client(&server.target(), ChannelArgs::new());
    let connections = || {
        let peers = server.seen.peers.lock().unwrap();
        let ports: BTreeSet<u16> = peers.iter().map(|peer| peer.address.port()).collect();
        ports.len()
    };
    let callers = (0..8).map(|_| {
        let mut client = channel.clone();
        async move {
            let mut calls = 0;
            while calls < 200 || connections() < 10 {
                client.empty_call(Empty::default()).await?;
                let size = client.streaming_input_call(parts(3)).await?.into_inner();
                assert_eq!(size.aggregated_payload_size, 3000);
                calls += 2;
            }
            Ok::<_, Status>(calls)
        }
    });
    let all = tokio::time::timeout(SOON, futures::future::try_join_all(callers));
    let calls: Vec<i32> = all.await.expect("calls go on").expect("none fails");
    println!(
        "{} calls over {} connections",
        calls.iter().sum::<i32>(),
        connections()
    );
}

#[tokio::test]
async fn a_call_that_waits_to_be_made_again_ends_when_its_channel_is_closed() {
    let server = Server::start().await;
    let mut later = Status::unavailable("as planned");
    later
        .metadata_mut()
        .insert("grpc-retry-pushback-ms", "3600000".parse().unwrap());
    server.plan([later]);
    let args = repeatable("0.01s");
    let address = server.serving.address().into();
    let channel = Channel::new(&address, &ChannelCredentials::insecure(), args).unwrap();
    let mut client = TestServiceClient::new(channel.clone());
    let closing = async {
        eventually("the first try was made", || {
            !server.failing.tries.lock().unwrap().is_empty()
        })
        .await;
        // Nothing is left to be made again once no more calls are taken: the grace is not waited for.
        channel.close(Duration::from_secs(3600)).await;
    };
    let both = async { tokio::join!(client.unary_call(SimpleRequest::default()), closing) };
    let (answer, ()) = tokio::time::timeout(SOON, both).await.expect("both end");
    assert_eq!(answer.unwrap_err().code(), Code::Cancelled);
    assert_eq!(server.tries(), said(&[0]));
}

#[tokio::test]
async fn a_call_that_a_stopping_server_has_not_begun_is_unavailable() {
    let off = ChannelArgs::new().with("grpc.enable_retries", 0).unwrap();
    // All is well, and too many of something.
    for reason in [0, 11] {
        let gate = Gate::new().await;
        let mut client = client(&gate.target(), off.clone());
        let gives_up = async {
            let mut spoken = Spoken::begin(gate.next().await).await;
            spoken.call().await;
            spoken.say(GO_AWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, reason]).await;
            spoken
        };
        let (answer, _spoken) = tokio::join!(client.unary_call(SimpleRequest::default()), gives_up);
        let status = answer.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{reason}: {status}");
    }
}

#[tokio::test]
async fn every_call_that_goes_well_gives_back_what_failed_ones_have_taken() {
    let server = Server::start().await;
    let config = r#"{
        "methodConfig": [{
            "name": [{"service": "grpc.testing.TestService", "method": "UnaryCall"}],
            "retryPolicy": {
                "maxAttempts": 2, "initialBackoff": "0.001s", "maxBackoff": "1s", "backoffMultiplier": 1,
                "retryableStatusCodes": ["UNAVAILABLE"]
            }
        }],
        "retryThrottling": {"maxTokens": 4, "tokenRatio": 1}
    }"#;
    let mut client = server.client(configured(config));
    server.plan(unavailable(3));
    client.unary_call(SimpleRequest::default()).await.unwrap_err();
    client.unary_call(SimpleRequest::default()).await.unwrap_err();
    assert_eq!(
        server.tries(),
        said(&[0, 1, 0]),
        "two tokens are gone, then a third"
    );
    // Calls of a method that nobody said to be repeatable count as well.
    for _ in 0..3 {
        client.empty_call(Empty::default()).await.unwrap();
    }
    server.tries();
    server.plan(unavailable(1));
    client.unary_call(SimpleRequest::default()).await.unwrap();
    assert_eq!(server.tries(), said(&[0, 1]));
}

#[tokio::test]
async fn an_answer_that_ends_inside_a_message_is_no_success() {
    let gate = Gate::new().await;
    let mut client = client(&gate.target(), ChannelArgs::new());
    let answers = async {
        let mut spoken = Spoken::begin(gate.next().await).await;
        let head = [vec![0x88], literal("content-type", "application/grpc")].concat();
        let call = spoken.call().await;
        spoken.say(1, 4, call, &head).await;
        // A whole message, and the begin of one of ten bytes.
        spoken.say(0, 0, call, &[0; 5]).await;
        spoken.say(0, 0, call, &[0, 0, 0, 0, 10, 1, 2]).await;
        spoken.say(1, 5, call, &literal("grpc-status", "0")).await;
        spoken
    };
    let asked = async {
        let call = client.streaming_output_call(StreamingOutputCallRequest::default());
        let mut stream = call.await.unwrap().into_inner();
        assert!(stream.message().await.unwrap().is_some());
        stream.message().await.unwrap_err()
    };
    let both = tokio::time::timeout(SOON, async { tokio::join!(answers, asked) });
    let (_spoken, status) = both.await.expect("it ends");
    assert_eq!(status.code(), Code::Internal, "{status}");
}

#[tokio::test]
async fn an_answer_of_something_else_than_grpc_is_judged_by_its_http_status() {
    // What stands before a server, such as a proxy, answers with pages (":status 200" and "404" have numbers in HPACK).
    for (line, code) in [
        (vec![0x88], Code::Unknown),
        (vec![0x8d], Code::Unimplemented),
        (literal(":status", "502"), Code::Unavailable),
        (literal(":status", "403"), Code::PermissionDenied),
    ] {
        let gate = Gate::new().await;
        let mut client = client(&gate.target(), ChannelArgs::new());
        let answers = async {
            let mut spoken = Spoken::begin(gate.next().await).await;
            let call = spoken.call().await;
            let head = [line, literal("content-type", "text/html")].concat();
            spoken.say(1, 4, call, &head).await;
            spoken.say(0, 1, call, b"<html></html>").await;
            spoken
        };
        let both = async { tokio::join!(client.unary_call(SimpleRequest::default()), answers) };
        let (answer, _spoken) = tokio::time::timeout(SOON, both).await.expect("it ends");
        let status = answer.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains("text/html"), "{status}");
    }
}

/// Proves the first try of a call with one value, the next with another, and no third.
#[derive(Debug, Default)]
struct Numbered(std::sync::atomic::AtomicU32);

#[tonic::async_trait]
impl rpc::CallCredentials for Numbered {
    async fn metadata(&self, _call: &rpc::CallContext) -> Result<MetadataMap, Status> {
        match self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            number @ 0..2 => Ok(talker::one("x-proof", &number.to_string())),
            _ => Err(Status::permission_denied("no third one")),
        }
    }

    fn minimum_security(&self) -> rpc::SecurityLevel {
        rpc::SecurityLevel::None
    }
}

#[tokio::test]
async fn every_try_of_a_call_is_proved_anew() {
    let server = Server::start().await;
    let credentials = ChannelCredentials::insecure().with(Numbered::default());
    let target = server.serving.address().into();
    let channel = Channel::new(&target, &credentials, repeatable("0.001s")).unwrap();
    let mut client = TestServiceClient::new(channel);
    server.plan(unavailable(3));
    let status = client.unary_call(SimpleRequest::default()).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::PermissionDenied, "no third one")
    );
    assert_eq!(server.tries(), said(&[0, 1]));
    let proofs = std::mem::take(&mut *server.failing.proofs.lock().unwrap());
    assert_eq!(
        proofs,
        [["0"], ["1"]],
        "one for each try, and not that of another"
    );
}
