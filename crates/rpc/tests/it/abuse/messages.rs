//! Messages that are too long, at once or once unpacked.

use std::{convert::Infallible, io::Write as _, time::Duration};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::client::conn::http2::SendRequest;
use prost::Message as _;
use tokio::time::MissedTickBehavior;
use tonic::body::Body;
use wire::grpc::testing::{Payload, SimpleRequest};

use super::{Bounds, Notice, apart::Way, attack::Attacker, withstand};
use crate::support::{bare_to, post};

const UNARY_CALL: &str = "/grpc.testing.TestService/UnaryCall";
const MOST: usize = 4 * 1024 * 1024;

fn framed(compressed: bool, length: usize, message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![u8::from(compressed)];
    bytes.extend(u32::try_from(length).unwrap().to_be_bytes());
    bytes.extend(message);
    bytes
}

/// A message with so many zeros in it, as a gzip stream.
fn packed(zeros: usize) -> Bytes {
    let payload = Some(Payload {
        r#type: 0,
        body: vec![0; zeros].into(),
    });
    let message = SimpleRequest {
        payload,
        ..SimpleRequest::default()
    };
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&message.encode_to_vec()).unwrap();
    let packed = packed.finish().unwrap();
    framed(true, packed.len(), &packed).into()
}

/// What is sent, and how often.
struct Sent {
    body: Vec<Bytes>,
    /// Whether the request ends after its body.
    ends: bool,
    /// The most calls at a time.
    at_a_time: usize,
    /// How long between two of them.
    every: Duration,
    /// How they end.
    status: &'static str,
}

/// Makes calls until the attack is over, and counts those that end as they should.
fn calls(attacker: &Attacker, sent: &Sent) {
    let one = async |mut sender: SendRequest<Body>| {
        let pieces = stream::iter(sent.body.clone()).map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
        let mut request = post(UNARY_CALL);
        let gzip = http::HeaderValue::from_static("gzip");
        request.headers_mut().insert("grpc-encoding", gzip);
        *request.body_mut() = if sent.ends {
            Body::new(StreamBody::new(pieces))
        } else {
            Body::new(StreamBody::new(pieces.chain(stream::pending())))
        };
        sender.ready().await.ok()?;
        let answer = sender.send_request(request).await.ok()?;
        let early = answer.headers().get("grpc-status").cloned();
        let late = answer.into_body().collect().await.ok()?;
        let late = late
            .trailers()
            .and_then(|trailers| trailers.get("grpc-status").cloned());
        assert_eq!(early.or(late)?, sent.status);
        attacker.count(1);
        Some(())
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    runtime.block_on(async {
        let over = async {
            while attacker.goes_on() {
                // may sleep: the attack is over when its test says so
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let attack = async {
            let mut times = tokio::time::interval(sent.every);
            times.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let times = stream::unfold(times, async |mut times| {
                times.tick().await;
                Some(((), times))
            });
            let sender = bare_to(attacker.address).await;
            let all = times.map(|()| one(sender.clone()));
            all.buffer_unordered(sent.at_a_time).for_each(async |_| ()).await;
        };
        tokio::select! { () = over => {}, () = attack => {} }
    });
}

fn too_long(attacker: &Attacker) {
    let sent = Sent {
        body: vec![framed(false, MOST + 1, &[0; 16_000]).into()],
        ends: false,
        at_a_time: 50,
        every: Duration::from_millis(2),
        status: "8",
    };
    calls(attacker, &sent);
}

/// Each is nearly as long as is allowed, once unpacked.
fn full_when_unpacked(attacker: &Attacker) {
    let sent = Sent {
        body: vec![packed(MOST - 100)],
        ends: true,
        at_a_time: 50,
        every: Duration::from_micros(1),
        status: "0",
    };
    calls(attacker, &sent);
}

/// 64 MiB in 64 KiB.
fn bombs(attacker: &Attacker) {
    let sent = Sent {
        body: vec![packed(16 * MOST)],
        ends: true,
        at_a_time: 50,
        every: Duration::from_micros(1),
        status: "8",
    };
    calls(attacker, &sent);
}

/// All but the last byte of messages of 4 MiB; the first ones stay, the rest is refused.
fn nearly_whole(attacker: &Attacker) {
    let piece = Bytes::from(vec![0; 1024 * 1024]);
    let mut body = vec![Bytes::from(framed(false, MOST, &[]))];
    body.extend([piece.clone(), piece.clone(), piece.clone(), piece.slice(1..)]);
    let sent = Sent {
        body,
        ends: false,
        at_a_time: 200,
        every: Duration::from_millis(10),
        status: "8",
    };
    calls(attacker, &sent);
}

fn bounds(memory: u64) -> Bounds {
    Bounds {
        deeds: 20,
        memory,
        threads: 1,
        stays: false,
        held: 0,
        ends: false,
    }
}

#[tokio::test]
async fn g09_messages_over_the_limit_cost_others_little() {
    withstand("too long", Way::Plain, Notice::Call, bounds(96), too_long).await;
}

#[tokio::test]
async fn g09_compressed_bombs_cost_others_little() {
    withstand("bombs", Way::Plain, Notice::Call, bounds(256), bombs).await;
    withstand(
        "full when unpacked",
        Way::Plain,
        Notice::Call,
        bounds(256),
        full_when_unpacked,
    )
    .await;
}

#[tokio::test]
async fn g10_messages_that_lack_their_last_byte_cost_others_little() {
    withstand(
        "nearly whole",
        Way::Plain,
        Notice::Call,
        bounds(512),
        nearly_whole,
    )
    .await;
}
