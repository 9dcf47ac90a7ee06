//! The link: calls in both directions over connections that one side dialled.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use http::Request;
use rpc::{
    CallLimits, Calls, Channel, Limits, ListenAddress, Listener, Serving, Target,
    link::{Admission, Caller, Dial, Door, Holder, Judge, Links, Pace, Reach, serve_reversed},
};
use tasks::{Clock, Policy, Tasks};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, body::Body, service::Routes};
use wire::grpc::testing::{
    Empty, ResponseParameters, SimpleRequest, StreamingOutputCallRequest,
    test_service_client::TestServiceClient, test_service_server::TestServiceServer,
};

use crate::{
    abuse::answers::answer,
    support::{Authority, SOON, Seen, Service, ZONE, eventually, quick, waits},
};

/// Admits whoever holds a good certificate until it is told otherwise.
#[derive(Clone, Default)]
struct Ledger {
    closed: Arc<AtomicBool>,
    ended: CancellationToken,
}

impl Judge for Ledger {
    fn judge(&self, caller: Caller) -> BoxFuture<'_, Option<Admission>> {
        assert_eq!(caller.peer.certificates.first(), Some(&caller.leaf));
        assert_eq!(caller.run.len(), 32, "the number of a dial");
        let (closed, ended) = (Arc::clone(&self.closed), self.ended.clone());
        Box::pin(async move {
            let until = Box::pin(async move { ended.cancelled().await });
            let holder = "one".to_owned();
            (!closed.load(Ordering::SeqCst)).then_some(Admission { holder, until })
        })
    }
}

/// The side that listens.
pub(crate) struct Hub {
    pub(crate) authority: Authority,
    pub(crate) serving: Serving,
    seen: Arc<Seen>,
    pub(crate) links: Links,
    ledger: Ledger,
    tasks: Tasks,
}

impl Hub {
    pub(crate) async fn start(limits: Limits) -> Self {
        let (authority, tasks, links) = (Authority::new(), Tasks::new(), Links::new());
        let ledger = Ledger::default();
        let door = Door::new(&authority.pem(), Arc::new(ledger.clone()), links.clone()).unwrap();
        let listener = Listener::bind(ListenAddress::loopback(0), authority.tls()).await;
        let (service, seen) = service();
        let serving = rpc::serve(listener.unwrap().with_links(door), service, &tasks, limits);
        Self {
            authority,
            serving,
            seen,
            links,
            ledger,
            tasks,
        }
    }

    pub(crate) fn target(&self) -> Target {
        Target::from(self.serving.address())
            .with_server_name(ZONE)
            .unwrap()
    }

    pub(crate) fn reached(&self) -> TestServiceClient<Reach> {
        TestServiceClient::new(self.links.reach("one"))
    }

    pub(crate) async fn until_live(&self, connections: usize) {
        eventually("the links stand", || self.links.live("one") == connections).await;
    }
}

/// The side that dials.
pub(crate) struct Far {
    dial: Dial,
    pub(crate) seen: Arc<Seen>,
    tasks: Tasks,
}

impl Far {
    fn start(target: Target, trusts: &Authority, shows: &Authority, connections: usize) -> Self {
        let holder = Holder::new(shows.identity(&["one"])).unwrap();
        let pace = Pace {
            ping_every: Duration::from_millis(200),
            ping_wait: Duration::from_millis(300),
            first_wait: Duration::from_millis(20),
            longest_wait: Duration::from_millis(100),
            ..Pace::default()
        };
        let dial = Dial::new(target, &trusts.trust(), &holder, pace).unwrap();
        let tasks = Tasks::new();
        let (service, seen) = service();
        serve_reversed(&dial, &service, connections, &tasks);
        Self { dial, seen, tasks }
    }

    pub(crate) fn of(hub: &Hub) -> Self {
        Self::start(hub.target(), &hub.authority, &hub.authority, 1)
    }

    fn client(&self) -> TestServiceClient<Channel> {
        TestServiceClient::new(self.dial.channel())
    }
}

fn service() -> (Calls, Arc<Seen>) {
    let service = Service::default();
    let seen = Arc::clone(&service.0);
    let routes = Routes::new(TestServiceServer::new(service));
    (Calls::new(routes, CallLimits::default()), seen)
}

pub(crate) fn parts(count: usize, size: i32) -> StreamingOutputCallRequest {
    let one = ResponseParameters {
        size,
        ..ResponseParameters::default()
    };
    StreamingOutputCallRequest {
        response_parameters: vec![one; count],
        ..StreamingOutputCallRequest::default()
    }
}

/// A wire between both sides that can be cut, and that can fall silent.
struct Between {
    address: std::net::SocketAddr,
    cut: tokio::sync::watch::Sender<u32>,
    silent: Arc<AtomicBool>,
}

impl Between {
    async fn start(to: std::net::SocketAddr, tasks: &Tasks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, silent) = (
            tokio::sync::watch::Sender::new(0),
            Arc::new(AtomicBool::new(false)),
        );
        let (cuts, quiet, inner) = (cut.clone(), Arc::clone(&silent), tasks.clone());
        tasks.spawn("between", Policy::MayEnd, async move {
            while let Ok((mut near, _address)) = listener.accept().await {
                let (mut cuts, quiet) = (cuts.subscribe(), Arc::clone(&quiet));
                inner.spawn("a wire", Policy::MayEnd, async move {
                    let Ok(mut far) = TcpStream::connect(to).await else {
                        return;
                    };
                    let ended = tokio::select! {
                        ended = copy_bidirectional(&mut near, &mut far) => ended.map(drop),
                        _changed = cuts.changed() => Ok(()),
                    };
                    drop(ended);
                    if quiet.load(Ordering::SeqCst) {
                        // Held open, nothing carried.
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self { address, cut, silent }
    }

    fn cut(&self) {
        self.cut.send_modify(|count| *count += 1);
    }
}

#[tokio::test]
async fn both_sides_call_over_connections_that_one_side_dialled() {
    let hub = Hub::start(quick()).await;
    let far = Far::of(&hub);
    far.client().empty_call(Empty::default()).await.unwrap();
    let shown = hub.seen.peers.lock().unwrap()[0].certificates.len();
    assert_eq!(shown, 2, "the call came with the certificate and its authority");
    hub.until_live(1).await;
    hub.reached().empty_call(Empty::default()).await.unwrap();
    assert_eq!(far.seen.peers.lock().unwrap().len(), 1);
    let stopped = far.tasks.stop(SOON).await;
    assert!(stopped.late.is_empty(), "{stopped:?}");
    hub.until_live(0).await;
}

#[tokio::test]
async fn streams_and_deadlines_hold_in_the_reversed_direction() {
    let hub = Hub::start(quick()).await;
    let far = Far::of(&hub);
    hub.until_live(1).await;
    let mut stream = hub
        .reached()
        .streaming_output_call(parts(64, 50_000))
        .await
        .unwrap()
        .into_inner();
    let mut bytes = 0;
    while let Some(part) = stream.message().await.unwrap() {
        bytes += part.payload.unwrap().body.len();
    }
    assert_eq!(bytes, 64 * 50_000);
    let mut late = tonic::Request::new(waits(60_000));
    late.set_timeout(Duration::from_millis(100));
    let status = hub.reached().unary_call(late).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    eventually("the far handler was told", || far.seen.running() == 0).await;
}

#[tokio::test]
async fn calls_spread_over_all_connections_of_a_holder() {
    let hub = Hub::start(quick()).await;
    let far = Far::start(hub.target(), &hub.authority, &hub.authority, 3);
    hub.until_live(3).await;
    for _ in 0..6 {
        hub.reached().empty_call(Empty::default()).await.unwrap();
    }
    let mut ports: Vec<_> = far
        .seen
        .peers
        .lock()
        .unwrap()
        .iter()
        .map(|peer| peer.local.port())
        .collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 3);
}

#[tokio::test]
async fn a_cut_link_fails_its_calls_at_once_and_comes_back() {
    let hub = Hub::start(quick()).await;
    let wire = Between::start(hub.serving.address(), &hub.tasks).await;
    let target = Target::from(wire.address).with_server_name(ZONE).unwrap();
    let far = Far::start(target, &hub.authority, &hub.authority, 1);
    for round in 1..=3 {
        hub.until_live(1).await;
        let mut client = hub.reached();
        let call = tokio::spawn(async move { client.unary_call(waits(600_000)).await });
        eventually("the call runs", || far.seen.started() == round).await;
        wire.cut();
        let ended = tokio::time::timeout(SOON, call).await.expect("it ends").unwrap();
        assert_eq!(ended.unwrap_err().code(), Code::Unavailable);
        eventually("the far handler is gone", || far.seen.running() == 0).await;
        far.client().empty_call(Empty::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_over_a_cut_link_ends_with_unavailable() {
    let hub = Hub::start(quick()).await;
    let wire = Between::start(hub.serving.address(), &hub.tasks).await;
    let target = Target::from(wire.address).with_server_name(ZONE).unwrap();
    let _far = Far::start(target, &hub.authority, &hub.authority, 1);
    hub.until_live(1).await;
    let mut endless = parts(1, 10);
    endless.response_parameters[0].interval_us = -1;
    let mut stream = hub
        .reached()
        .streaming_output_call(endless)
        .await
        .unwrap()
        .into_inner();
    stream.message().await.unwrap().expect("a part");
    wire.cut();
    let status = loop {
        match tokio::time::timeout(SOON, stream.message())
            .await
            .expect("it ends")
        {
            Ok(Some(_part)) => {}
            Ok(None) => panic!("a cut stream is no whole one"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

#[tokio::test]
async fn a_link_that_falls_silent_is_given_up_by_both_sides() {
    let limits = Limits {
        ping_every: Duration::from_millis(200),
        ping_wait: Duration::from_millis(300),
        ..quick()
    };
    let hub = Hub::start(limits).await;
    let wire = Between::start(hub.serving.address(), &hub.tasks).await;
    let target = Target::from(wire.address).with_server_name(ZONE).unwrap();
    let _far = Far::start(target, &hub.authority, &hub.authority, 1);
    hub.until_live(1).await;
    let mut changes = hub.links.changes();
    let mut client = hub.reached();
    let call = tokio::spawn(async move { client.unary_call(waits(600_000)).await });
    wire.silent.store(true, Ordering::SeqCst);
    wire.cut();
    let ended = tokio::time::timeout(SOON, call).await.expect("it ends").unwrap();
    assert_eq!(ended.unwrap_err().code(), Code::Unavailable);
    wire.silent.store(false, Ordering::SeqCst);
    tokio::time::timeout(SOON, changes.changed())
        .await
        .expect("noticed")
        .unwrap();
    hub.until_live(1).await;
}

#[tokio::test]
async fn a_holder_without_a_link_is_unavailable_at_once() {
    let hub = Hub::start(quick()).await;
    let status = hub.reached().empty_call(Empty::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "no link to this machine stands");
}

#[tokio::test]
async fn details_that_nobody_can_read_harm_no_caller_over_a_link() {
    for in_trailers in [false, true] {
        let hub = Hub::start(quick()).await;
        let holder = Holder::new(hub.authority.identity(&["one"])).unwrap();
        let dial = Dial::new(hub.target(), &hub.authority.trust(), &holder, Pace::default()).unwrap();
        let service =
            tower::service_fn(move |_request: Request<Body>| async move { Ok(answer(in_trailers)) });
        let tasks = Tasks::new();
        serve_reversed(&dial, &service, 1, &tasks);
        hub.until_live(1).await;
        let status = hub.reached().unary_call(waits(0)).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::InvalidArgument, "no such thing")
        );
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority_makes_no_link() {
    let hub = Hub::start(quick()).await;
    let far = Far::start(hub.target(), &hub.authority, &Authority::new(), 1);
    let status = far.client().empty_call(Empty::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(hub.links.live("one"), 0);
    assert!(hub.seen.peers.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_server_of_another_authority_gets_no_link() {
    let hub = Hub::start(quick()).await;
    let far = Far::start(hub.target(), &Authority::new(), &hub.authority, 1);
    let status = far.client().empty_call(Empty::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(hub.links.live("one"), 0);
}

#[tokio::test]
async fn no_certificate_makes_no_link_and_plain_clients_are_not_asked_for_one() {
    let hub = Hub::start(quick()).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(hub.authority.der()).unwrap();
    for protocol in [rpc::link::FORWARD, rpc::link::REVERSED] {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut bare = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        bare.alpn_protocols = vec![protocol.to_vec()];
        let tcp = TcpStream::connect(hub.serving.address()).await.unwrap();
        let name = rustls_pki_types::ServerName::try_from(ZONE).unwrap();
        let connected = tokio_rustls::TlsConnector::from(Arc::new(bare))
            .connect(name, tcp)
            .await;
        // In TLS 1.3 the client hears of the refusal with its first read.
        let refused = match connected {
            Ok(mut tls) => tokio::io::AsyncReadExt::read(&mut tls, &mut [0; 1])
                .await
                .is_err(),
            Err(_refused) => true,
        };
        assert!(refused);
    }
    assert_eq!(hub.links.live("one"), 0);
    let plain = rpc::connect(&hub.target(), &hub.authority.trust()).await.unwrap();
    TestServiceClient::new(plain)
        .empty_call(Empty::default())
        .await
        .unwrap();
    assert!(hub.seen.peers.lock().unwrap()[0].certificates.is_empty());
}

#[tokio::test]
async fn the_judge_keeps_a_holder_out_and_ends_what_stands() {
    let hub = Hub::start(quick()).await;
    let far = Far::of(&hub);
    hub.until_live(1).await;
    far.client().empty_call(Empty::default()).await.unwrap();
    let mut client = far.client();
    let forward = tokio::spawn(async move { client.unary_call(waits(600_000)).await });
    let mut client = hub.reached();
    let reversed = tokio::spawn(async move { client.unary_call(waits(600_000)).await });
    eventually("both run", || hub.seen.running() == 1 && far.seen.running() == 1).await;
    hub.ledger.closed.store(true, Ordering::SeqCst);
    hub.ledger.ended.cancel();
    for call in [forward, reversed] {
        let ended = tokio::time::timeout(SOON, call).await.expect("it ends").unwrap();
        ended.unwrap_err();
    }
    hub.until_live(0).await;
    far.client().empty_call(Empty::default()).await.unwrap_err();
    assert_eq!(hub.links.live("one"), 0);
}

#[tokio::test]
async fn another_certificate_is_shown_without_ending_what_stands() {
    let hub = Hub::start(quick()).await;
    let holder = Holder::new(hub.authority.identity(&["one"])).unwrap();
    let dial = Dial::new(hub.target(), &hub.authority.trust(), &holder, Pace::default()).unwrap();
    let mut standing = TestServiceClient::new(dial.channel());
    standing.empty_call(Empty::default()).await.unwrap();
    holder.swap(hub.authority.identity(&["one"])).unwrap();
    standing.empty_call(Empty::default()).await.unwrap();
    let mut fresh = TestServiceClient::new(dial.channel());
    fresh.empty_call(Empty::default()).await.unwrap();
    let seen = hub.seen.peers.lock().unwrap();
    assert_eq!(seen[0].certificates, seen[1].certificates);
    assert_ne!(seen[1].certificates, seen[2].certificates);
}

#[tokio::test]
async fn a_stop_of_the_listener_lets_a_call_over_a_link_finish() {
    let hub = Hub::start(Limits::default()).await;
    let far = Far::of(&hub);
    hub.until_live(1).await;
    let mut client = hub.reached();
    let clock = Clock::system();
    let stop = async {
        eventually("the call runs", || far.seen.running() == 1).await;
        let begun = clock.monotonic();
        (hub.serving.stop(SOON).await, clock.monotonic() - begun)
    };
    let request: SimpleRequest = waits(400);
    let (answer, (stopped, took)) = tokio::join!(client.unary_call(request), stop);
    answer.expect("the running call finishes");
    assert!(stopped.late.is_empty(), "{stopped:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    hub.until_live(0).await;
}
