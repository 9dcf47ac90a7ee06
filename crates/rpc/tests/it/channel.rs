//! A channel's states, its end, and what its arguments do.

use std::{
    cell::Cell,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt as _;
use rpc::{
    CallOptions, Cancel, Channel, ChannelArgs, ChannelCredentials, ChannelState, End, Security, Target,
};
use tasks::{Clock, Policy, Tasks};
use tokio::{io::AsyncWriteExt as _, net::TcpSocket, time::timeout};
use tonic::{Code, Request};
use wire::grpc::testing::{
    BoolValue, Empty, Payload, ResponseParameters, SimpleRequest, StreamingOutputCallRequest,
    test_service_client::TestServiceClient,
};

use crate::{
    gate::{Gate, Spoken},
    support::{SOON, eventually},
    talker::Server,
};

fn channel(target: &Target, args: ChannelArgs) -> Channel {
    Channel::new(target, &ChannelCredentials::insecure(), args).unwrap()
}

fn quick() -> ChannelArgs {
    ChannelArgs::new()
        .with("grpc.initial_reconnect_backoff_ms", 100)
        .and_then(|args| args.with("grpc.max_reconnect_backoff_ms", 200))
        .unwrap()
}

/// Notes every state of a channel from now on.
fn followed(channel: &Channel, tasks: &Tasks) -> Arc<Mutex<Vec<ChannelState>>> {
    let mut state = channel.state(false);
    let seen = Arc::new(Mutex::new(vec![state]));
    let (noted, channel) = (Arc::clone(&seen), channel.clone());
    tasks.spawn("follows a channel", Policy::MayEnd, async move {
        while state != ChannelState::Shutdown {
            state = channel.changed_from(state).await;
            noted.lock().unwrap().push(state);
        }
    });
    seen
}

fn for_ever() -> SimpleRequest {
    SimpleRequest {
        response_size: -1,
        ..SimpleRequest::default()
    }
}

fn with<T>(message: T, options: CallOptions) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(options);
    request
}

/// An address that refuses connections until it is opened, and then leads to the server.
struct Barred(TcpSocket, Target);

impl Barred {
    fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let target = Target::from(socket.local_addr().unwrap());
        Self(socket, target)
    }

    fn open(self, server: &Server, tasks: &Tasks) {
        let (listener, onward) = (self.0.listen(8).unwrap(), server.serving.address());
        let way = tasks.clone();
        tasks.spawn("way to a server", Policy::MayEnd, async move {
            while let Ok((mut near, _)) = listener.accept().await {
                way.spawn("way", Policy::MayEnd, async move {
                    let mut far = tokio::net::TcpStream::connect(onward).await.unwrap();
                    drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
                });
            }
        });
    }
}

#[tokio::test]
async fn a_channel_is_idle_connecting_ready_and_idle_again_when_nobody_calls() {
    use ChannelState::{Connecting, Idle, Ready};
    let (server, tasks) = (Server::start(Security::Plain).await, Tasks::new());
    let args = quick().with("grpc.client_idle_timeout_ms", 300).unwrap();
    let channel = channel(&server.target(), args);
    let seen = followed(&channel, &tasks);
    assert_eq!(channel.state(false), Idle);
    assert_eq!(channel.state(true), Idle, "the answer is the state before");
    let states = || seen.lock().unwrap().clone();
    eventually("idle again", || states().len() >= 4).await;
    assert_eq!(states(), [Idle, Connecting, Ready, Idle]);
    let mut client = TestServiceClient::new(channel.clone());
    client.empty_call(Empty::default()).await.unwrap();
    eventually("idle once more", || states().len() >= 7).await;
    assert_eq!(states()[4..], [Connecting, Ready, Idle]);
}

#[tokio::test]
async fn a_lost_connection_leaves_a_channel_idle_and_the_next_call_finds_out() {
    use ChannelState::{Connecting, Idle, Ready, TransientFailure};
    let (server, tasks) = (Server::start(Security::Plain).await, Tasks::new());
    let channel = channel(&server.target(), quick());
    let seen = followed(&channel, &tasks);
    let mut client = TestServiceClient::new(channel.clone());
    client.empty_call(Empty::default()).await.unwrap();
    server.serving.stop(Duration::ZERO).await;
    eventually("idle", || channel.state(false) == Idle).await;
    let status = client.empty_call(Empty::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    let states = seen.lock().unwrap().clone();
    assert_eq!(
        states[..6],
        [Idle, Connecting, Ready, Idle, Connecting, TransientFailure]
    );
}

#[tokio::test]
async fn a_channel_that_cannot_connect_tries_again_and_a_call_may_wait_for_it() {
    use ChannelState::{Connecting, Idle, Ready, TransientFailure};
    let (server, tasks) = (Server::start(Security::Plain).await, Tasks::new());
    let barred = Barred::new();
    let channel = channel(&barred.1, quick());
    let seen = followed(&channel, &tasks);
    let mut client = TestServiceClient::new(channel.clone());
    let status = client.empty_call(Empty::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("refused"), "{status}");
    eventually("it has failed", || channel.state(false) == TransientFailure).await;
    let waiting = CallOptions {
        wait_for_ready: Some(true),
        ..CallOptions::default()
    };
    let mut waiter = client.clone();
    let call = waiter.empty_call(with(Empty::default(), waiting));
    let opened = async { barred.open(&server, &tasks) };
    let (answer, ()) = tokio::join!(timeout(SOON, call), opened);
    answer.expect("the call does not wait for ever").unwrap();
    assert_eq!(channel.state(false), Ready);
    eventually("it tells of its states", || seen.lock().unwrap().len() >= 4).await;
    let states = seen.lock().unwrap().clone();
    assert_eq!(
        states,
        [Idle, Connecting, TransientFailure, Ready],
        "it tried again by itself"
    );
}

#[tokio::test]
async fn a_channel_that_cannot_connect_rests_when_nobody_calls() {
    let barred = Barred::new();
    // Longer than the waits between its tries.
    let args = quick().with("grpc.client_idle_timeout_ms", 600).unwrap();
    let channel = channel(&barred.1, args);
    assert_eq!(channel.state(true), ChannelState::Idle);
    eventually("it has failed", || {
        channel.state(false) == ChannelState::TransientFailure
    })
    .await;
    eventually("idle", || channel.state(false) == ChannelState::Idle).await;
}

#[tokio::test]
async fn a_channel_closes_with_a_grace_for_what_runs() {
    let server = Server::start(Security::Plain).await;
    let channel = channel(&server.target(), quick());
    let mut client = TestServiceClient::new(channel.clone());
    let asked = StreamingOutputCallRequest {
        response_parameters: vec![
            ResponseParameters {
                size: 1,
                interval_us: 50_000,
                compressed: None
            };
            5
        ],
        ..StreamingOutputCallRequest::default()
    };
    let mut stream = client.streaming_output_call(asked).await.unwrap().into_inner();
    let count = Cell::new(0);
    let closing = async {
        channel.close(SOON).await;
        count.get()
    };
    let running = async {
        while stream.message().await.unwrap().is_some() {
            count.set(count.get() + 1);
        }
    };
    let mut newcomer = client.clone();
    let refused = async {
        while channel.state(false) != ChannelState::Shutdown {
            tokio::task::yield_now().await;
        }
        let status = newcomer.empty_call(Empty::default()).await.unwrap_err();
        (status.code(), count.get())
    };
    let (at_the_end, (), (code, meanwhile)) = tokio::join!(closing, running, refused);
    assert_eq!(at_the_end, 5, "it closes once all that runs has ended");
    assert_eq!(code, Code::Cancelled);
    assert!(meanwhile < 5, "a new call is refused at once: {meanwhile}");
    assert_eq!(channel.state(true), ChannelState::Shutdown);
    let status = client.empty_call(Empty::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Cancelled);
}

#[tokio::test]
async fn a_channel_closed_without_grace_cuts_what_runs() {
    let clock = Clock::system();
    for grace in [Duration::ZERO, Duration::from_millis(300)] {
        let server = Server::start(Security::Plain).await;
        let channel = channel(&server.target(), quick());
        let mut client = TestServiceClient::new(channel.clone());
        let cut = async {
            server.notes.entered.notified().await;
            let begin = clock.monotonic();
            channel.close(grace).await;
            begin
        };
        let both = async { tokio::join!(client.unary_call(for_ever()), cut) };
        let (answer, begin) = timeout(SOON, both).await.expect("it ends");
        assert_eq!(answer.unwrap_err().code(), Code::Cancelled);
        assert!(clock.monotonic() - begin >= grace, "it has all of its grace");
        assert_eq!(server.ends(1).await[0].0, End::Cancelled);
        assert_eq!(channel.state(true), ChannelState::Shutdown);
    }
}

#[tokio::test]
async fn a_cancelled_call_says_cancelled_on_both_sides() {
    let server = Server::start(Security::Plain).await;
    let mut client = TestServiceClient::new(channel(&server.target(), quick()));
    let cancel = Cancel::new();
    let options = || CallOptions {
        cancel: Some(cancel.clone()),
        ..CallOptions::default()
    };
    let both = async {
        let call = client.unary_call(with(for_ever(), options()));
        let cancelled = async {
            server.notes.entered.notified().await;
            cancel.cancel();
        };
        tokio::join!(call, cancelled).0
    };
    let status = timeout(SOON, both).await.expect("it ends").unwrap_err();
    assert_eq!(status.code(), Code::Cancelled);
    assert_eq!(server.ends(1).await[0], (End::Cancelled, true));
    // What is used up cancels at once.
    let status = client
        .empty_call(with(Empty::default(), options()))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Cancelled);
    // A call of both directions whose own side still holds its requests open.
    let cancel = Cancel::new();
    let asked = futures::stream::once(std::future::ready(StreamingOutputCallRequest::default()));
    let options = CallOptions {
        cancel: Some(cancel.clone()),
        ..CallOptions::default()
    };
    let call = client
        .full_duplex_call(with(asked.chain(futures::stream::pending()), options))
        .await;
    let mut stream = call.unwrap().into_inner();
    stream.message().await.unwrap().expect("the server speaks first");
    cancel.cancel();
    let ended = async {
        loop {
            if let Err(status) = stream.message().await {
                return status;
            }
        }
    };
    let status = timeout(SOON, ended).await.expect("it ends");
    assert_eq!(status.code(), Code::Cancelled);
    assert_eq!(server.ends(2).await[1], (End::Cancelled, true));
}

#[tokio::test]
async fn leaving_only_the_answers_of_a_call_ends_all_of_it_at_the_server() {
    let server = Server::start(Security::Plain).await;
    let mut client = TestServiceClient::new(channel(&server.target(), quick()));
    let asked = futures::stream::once(std::future::ready(StreamingOutputCallRequest::default()));
    let call = client
        .full_duplex_call(asked.chain(futures::stream::pending()))
        .await;
    let mut stream = call.unwrap().into_inner();
    stream.message().await.unwrap().expect("the server speaks first");
    drop(stream);
    assert_eq!(server.ends(1).await[0], (End::Cancelled, true));
}

#[tokio::test]
async fn a_channel_s_own_deadline_holds_for_calls_without_one() {
    let server = Server::start(Security::Plain).await;
    let args = quick().with_deadline(Duration::from_secs(7));
    let mut client = TestServiceClient::new(channel(&server.target(), args));
    client.empty_call(Empty::default()).await.unwrap();
    let mut own = Request::new(Empty::default());
    own.set_timeout(Duration::from_secs(600));
    client.empty_call(own).await.unwrap();
    let left = server.notes.left.lock().unwrap().clone();
    assert!(left[0].unwrap() <= Duration::from_secs(7), "{left:?}");
    assert!(left[1].unwrap() > Duration::from_secs(500), "{left:?}");
    let args = quick().with_deadline(Duration::from_millis(300));
    let mut client = TestServiceClient::new(channel(&server.target(), args));
    let status = client.unary_call(for_ever()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn compression_goes_on_and_off_by_argument_and_by_call() {
    let server = Server::start(Security::Plain).await;
    let asked = || SimpleRequest {
        payload: Some(Payload {
            r#type: 0,
            body: vec![b'x'; 10_000].into(),
        }),
        response_size: 20_000,
        response_compressed: Some(BoolValue { value: true }),
        ..SimpleRequest::default()
    };
    for (algorithm, own, compressed) in [
        (0, None, false),
        (2, None, true),
        (2, Some(false), false),
        (0, Some(true), true),
    ] {
        let args = quick()
            .with("grpc.default_compression_algorithm", algorithm)
            .unwrap();
        let mut client = TestServiceClient::new(channel(&server.target(), args));
        let options = CallOptions {
            compress: own,
            ..CallOptions::default()
        };
        let answer = client
            .unary_call(with(asked(), options))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answer.payload.unwrap().body.len(), 20_000);
        let seen = server.notes.compressed.lock().unwrap().pop();
        assert_eq!(seen, Some(compressed), "{algorithm} {own:?}");
    }
    let args = quick().with("grpc.max_receive_message_length", 19_000).unwrap();
    let mut client = TestServiceClient::new(channel(&server.target(), args));
    let status = client.unary_call(asked()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn a_channel_is_ready_once_the_server_has_sent_its_settings() {
    use ChannelState::{Connecting, Idle, Ready, TransientFailure};
    let (server, tasks) = (Server::start(Security::Plain).await, Tasks::new());
    let gate = Gate::new().await;
    let args = quick().with("grpc.min_reconnect_backoff_ms", 300).unwrap();
    let channel = channel(&gate.target(), args);
    let seen = followed(&channel, &tasks);
    let mut client = TestServiceClient::new(channel.clone());
    // One who takes the connection and says nothing is no server.
    let silent = async { gate.next().await };
    let both = async { tokio::join!(client.empty_call(Empty::default()), silent) };
    let (answer, silent) = timeout(SOON, both).await.expect("it ends");
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("no connection in time"), "{status}");
    // Nor is one who speaks something else, or goes.
    let mut other = gate.next().await;
    other
        .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        .await
        .unwrap();
    let gone = gate.next().await;
    let told = async |wanted: &[ChannelState]| {
        eventually("it tells of its states", || {
            seen.lock().unwrap().len() >= wanted.len()
        })
        .await;
        assert_eq!(*seen.lock().unwrap(), wanted);
    };
    told(&[Idle, Connecting, TransientFailure]).await;
    drop(gone);
    // On a busy machine more than one try may take too long.
    let lead_on = async {
        let mut ways = Vec::new();
        loop {
            ways.push(gate.onward(gate.next().await, server.serving.address()));
        }
    };
    let ready = async {
        told(&[Idle, Connecting, TransientFailure, Ready]).await;
        client.empty_call(Empty::default()).await.unwrap();
    };
    tokio::select! {
        () = ready => {}
        never = lead_on => match never {},
    }
    drop((silent, other));
}

#[tokio::test]
async fn a_channel_is_idle_once_its_server_gives_the_connection_up() {
    use ChannelState::{Connecting, Idle, Ready};
    let (server, tasks) = (Server::start(Security::Plain).await, Tasks::new());
    let gate = Gate::new().await;
    let channel = channel(&gate.target(), quick());
    let seen = followed(&channel, &tasks);
    assert_eq!(channel.state(true), Idle);
    let mut spoken = Spoken::begin(gate.next().await).await;
    eventually("ready", || channel.state(false) == Ready).await;
    // GOAWAY, on a connection that stays open.
    spoken.say(7, 0, 0, &[0; 8]).await;
    eventually("idle", || channel.state(false) == Idle).await;
    assert!(!gate.has_next().await, "nobody calls: nothing connects");
    let mut client = TestServiceClient::new(channel.clone());
    let leads_on = async { gate.onward(gate.next().await, server.serving.address()) };
    let (answer, _way) = tokio::join!(client.empty_call(Empty::default()), leads_on);
    answer.unwrap();
    eventually("it tells of its states", || seen.lock().unwrap().len() >= 6).await;
    let states = seen.lock().unwrap().clone();
    assert_eq!(states, [Idle, Connecting, Ready, Idle, Connecting, Ready]);
}

#[tokio::test]
async fn answers_that_nobody_reads_hold_up_no_other_call_of_their_channel() {
    let server = Server::start(Security::Plain).await;
    let mut client = TestServiceClient::new(channel(&server.target(), quick()));
    let part = ResponseParameters {
        size: 60_000,
        ..ResponseParameters::default()
    };
    let asked = StreamingOutputCallRequest {
        response_parameters: vec![part; 50],
        ..StreamingOutputCallRequest::default()
    };
    let mut unread = Vec::new();
    for _ in 0..8 {
        let mut stream = client
            .streaming_output_call(asked.clone())
            .await
            .unwrap()
            .into_inner();
        stream.message().await.unwrap().expect("it has begun");
        unread.push(stream);
    }
    for _ in 0..20 {
        let large = SimpleRequest {
            response_size: 200_000,
            ..SimpleRequest::default()
        };
        let answer = timeout(SOON, client.unary_call(large)).await;
        answer.expect("the others do not hold it up").unwrap();
    }
    // They go on where they were left.
    let mut first = unread.swap_remove(0);
    let mut count = 1;
    while first.message().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 50);
}
