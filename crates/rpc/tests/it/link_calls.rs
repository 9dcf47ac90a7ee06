//! Calls over a link: those that are made again, and how each ends as a whole.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use rpc::{
    CallOptions, Cancel,
    link::{Dial, Holder, Pace, serve_reversed},
};
use tasks::{Clock, Tasks};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, body::Body};
use wire::grpc::testing::{Payload, StreamingInputCallRequest, StreamingOutputCallRequest};

use crate::{
    gate::Spoken,
    link::{Far, Hub, parts},
    raw::literal,
    support::{SOON, ZONE, eventually, quick, waits},
};

/// RST_STREAM and GOAWAY, and the code with which a server refuses a stream (RFC 9113, sections 6 and 7).
const RESET: u8 = 3;
const GO_AWAY: u8 = 7;
const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];

/// The dialling side of a reversed connection, spoken frame by frame.
async fn by_hand(hub: &Hub) -> Spoken<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(hub.authority.der()).unwrap();
    let (certificate, key) = hub.authority.issue(&["one"]);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)
        .unwrap();
    let run = [&b"soke-run-"[..], &[b'0'; 32]].concat();
    config.alpn_protocols = vec![rpc::link::REVERSED.to_vec(), run];
    let tcp = TcpStream::connect(hub.serving.address()).await.unwrap();
    let name = rustls_pki_types::ServerName::try_from(ZONE).unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    Spoken::begin(connector.connect(name, tcp).await.unwrap()).await
}

fn upload(count: usize) -> impl futures::Stream<Item = StreamingInputCallRequest> {
    let part = |_| StreamingInputCallRequest {
        payload: Some(Payload {
            r#type: 0,
            body: vec![b'x'; 1000].into(),
        }),
        expect_compressed: None,
    };
    futures::stream::iter((0..count).map(part))
}

fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = vec![0x88];
    for (name, value) in fields {
        bytes.extend(literal(name, value));
    }
    bytes
}

#[tokio::test]
async fn a_call_that_the_far_side_refuses_unseen_is_made_again_once_by_itself() {
    let hub = Hub::start(quick()).await;
    let mut spoken = by_hand(&hub).await;
    hub.until_live(1).await;
    let mut client = hub.reached();
    let answers = async {
        let refused = spoken.call().await;
        spoken.say(RESET, 0, refused, &REFUSED_STREAM).await;
        let taken = spoken.call().await;
        let status = head(&[("content-type", "application/grpc"), ("grpc-status", "0")]);
        spoken.say(1, 5, taken, &status).await;
        for _ in 0..2 {
            let refused = spoken.call().await;
            spoken.say(RESET, 0, refused, &REFUSED_STREAM).await;
        }
    };
    let asked = async {
        let first = client
            .streaming_output_call(StreamingOutputCallRequest::default())
            .await;
        assert!(first.unwrap().into_inner().message().await.unwrap().is_none());
        client.unary_call(waits(0)).await.unwrap_err()
    };
    let ((), status) = tokio::join!(answers, asked);
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

#[tokio::test]
async fn a_call_that_a_stopping_far_side_has_not_begun_goes_over_another_connection_whole() {
    let hub = Hub::start(quick()).await;
    let mut spoken = by_hand(&hub).await;
    hub.until_live(1).await;
    let far = Far::of(&hub);
    hub.until_live(2).await;
    let mut client = hub.reached();
    let gives_up = async {
        spoken.call().await;
        // The last stream that was taken is none, and nothing is wrong.
        spoken.say(GO_AWAY, 0, 0, &[0; 8]).await;
    };
    let (answer, ()) = tokio::join!(client.streaming_input_call(upload(7)), gives_up);
    assert_eq!(answer.unwrap().into_inner().aggregated_payload_size, 7000);
    assert_eq!(*far.seen.uploads.lock().unwrap(), [Ok(7000)]);
}

#[tokio::test]
async fn a_call_that_the_far_side_may_have_seen_is_made_once() {
    let hub = Hub::start(quick()).await;
    let mut spoken = by_hand(&hub).await;
    hub.until_live(1).await;
    let far = Far::of(&hub);
    hub.until_live(2).await;
    let mut client = hub.reached();
    let breaks = async move {
        spoken.call().await;
        drop(spoken);
    };
    let (answer, ()) = tokio::join!(client.unary_call(waits(0)), breaks);
    assert_eq!(answer.unwrap_err().code(), Code::Unavailable);
    assert_eq!(far.seen.started(), 0);
}

#[tokio::test]
async fn leaving_only_the_answers_of_a_call_ends_all_of_it_at_the_far_side() {
    let hub = Hub::start(quick()).await;
    let holder = Holder::new(hub.authority.identity(&["one"])).unwrap();
    let dial = Dial::new(hub.target(), &hub.authority.trust(), &holder, Pace::default()).unwrap();
    let (gone, tasks) = (CancellationToken::new(), Tasks::new());
    let told = gone.clone();
    // Begins to answer, and holds its request and the answer for ever.
    let service = tower::service_fn(move |request: Request<Body>| {
        let held = (told.clone().drop_guard(), request);
        let body = futures::stream::once(async move {
            let _held = held;
            std::future::pending::<Result<Frame<bytes::Bytes>, Status>>().await
        });
        let answer = http::Response::builder().header("content-type", "application/grpc");
        let answer = answer.body(Body::new(StreamBody::new(body))).unwrap();
        std::future::ready(Ok::<_, std::convert::Infallible>(answer))
    });
    serve_reversed(&dial, &service, 1, &tasks);
    hub.until_live(1).await;
    let call = hub
        .reached()
        .full_duplex_call(futures::stream::pending::<StreamingOutputCallRequest>())
        .await;
    drop(call.unwrap());
    timeout(SOON, gone.cancelled())
        .await
        .expect("the far side hears of it");
}

#[tokio::test]
async fn half_an_upload_over_a_link_that_is_left_commits_nothing() {
    let hub = Hub::start(quick()).await;
    let far = Far::of(&hub);
    hub.until_live(1).await;
    let mut client = hub.reached();
    let left = async {
        eventually("the upload has begun", || far.seen.started() == 1).await;
    };
    tokio::select! {
        answer = client.streaming_input_call(upload(2).chain(futures::stream::pending())) => panic!("{answer:?}"),
        () = left => {}
    }
    eventually("it ends", || !far.seen.uploads.lock().unwrap().is_empty()).await;
    assert!(far.seen.uploads.lock().unwrap()[0].is_err());
}

#[tokio::test]
async fn a_call_over_a_link_ends_as_its_options_say() {
    let hub = Hub::start(quick()).await;
    let far = Far::of(&hub);
    hub.until_live(1).await;
    let with = |options| {
        let mut request = tonic::Request::new(waits(600_000));
        request.extensions_mut().insert::<CallOptions>(options);
        request
    };
    let late = CallOptions {
        deadline: Some(Clock::system().monotonic() + Duration::from_millis(100)),
        ..CallOptions::default()
    };
    let mut client = hub.reached();
    let answer = timeout(SOON, client.unary_call(with(late)))
        .await
        .expect("it ends");
    assert_eq!(answer.unwrap_err().code(), Code::DeadlineExceeded);
    let cancel = Cancel::new();
    let options = CallOptions {
        cancel: Some(cancel.clone()),
        ..CallOptions::default()
    };
    let started = far.seen.started();
    let cancels = async {
        eventually("it runs", || far.seen.started() > started).await;
        cancel.cancel();
    };
    let both = async { tokio::join!(client.unary_call(with(options)), cancels).0 };
    let answer = timeout(SOON, both).await.expect("it ends");
    assert_eq!(answer.unwrap_err().code(), Code::Cancelled);
    eventually("the far handlers are gone", || far.seen.running() == 0).await;
}

#[tokio::test]
async fn answers_that_nobody_reads_hold_up_no_other_call_over_their_link() {
    let hub = Hub::start(quick()).await;
    let _far = Far::of(&hub);
    hub.until_live(1).await;
    let mut client = hub.reached();
    let mut unread = Vec::new();
    for _ in 0..8 {
        let call = client.streaming_output_call(parts(64, 50_000)).await;
        let mut stream = call.unwrap().into_inner();
        stream.message().await.unwrap().expect("it has begun");
        unread.push(stream);
    }
    for _ in 0..20 {
        let answer = timeout(SOON, client.unary_call(waits(0))).await;
        answer.expect("the others do not hold it up").unwrap();
    }
}

#[tokio::test]
async fn requests_that_nobody_reads_hold_up_no_other_call_over_their_link() {
    let hub = Hub::start(quick()).await;
    let holder = Holder::new(hub.authority.identity(&["one"])).unwrap();
    let dial = Dial::new(hub.target(), &hub.authority.trust(), &holder, Pace::default()).unwrap();
    let tasks = Tasks::new();
    // Reads an upload never, and answers all else once its request is whole.
    let service = tower::service_fn(|request: Request<Body>| async move {
        if request.uri().path().ends_with("StreamingInputCall") {
            let _held = request;
            return std::future::pending().await;
        }
        let whole = http_body_util::BodyExt::collect(request.into_body()).await;
        assert!(whole.is_ok_and(|whole| whole.to_bytes().len() > 100_000));
        let answer = http::Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "5");
        Ok::<_, std::convert::Infallible>(answer.body(Body::default()).unwrap())
    });
    serve_reversed(&dial, &service, 1, &tasks);
    hub.until_live(1).await;
    let uploads = (0..8).map(|_| {
        let mut client = hub.reached();
        async move { client.streaming_input_call(upload(2000)).await }
    });
    let mut client = hub.reached();
    let others = async {
        for _ in 0..20 {
            let mut large = waits(0);
            large.payload = Some(Payload {
                r#type: 0,
                body: vec![b'x'; 100_000].into(),
            });
            let answer = timeout(SOON, client.unary_call(large)).await;
            let status = answer.expect("the others do not hold it up").unwrap_err();
            assert_eq!(status.code(), Code::NotFound);
        }
    };
    tokio::select! {
        biased;
        _never = futures::future::join_all(uploads) => panic!("nobody answers an upload"),
        () = others => {}
    }
}
