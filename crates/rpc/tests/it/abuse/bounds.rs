//! Bounds that hold over all connections of a service, in this process.

use std::{sync::Arc, time::Duration};

use prost::Message as _;
use rpc::{CallLimits, Calls, Limits, ListenAddress, Listener, Security, Serving, Target, Trust};
use tasks::Tasks;
use tokio::time::timeout;
use tonic::{Code, service::Routes};
use wire::grpc::testing::{
    Empty, Payload, StreamingInputCallRequest, test_service_client::TestServiceClient,
    test_service_server::TestServiceServer,
};

use super::PATIENCE;
use crate::{
    support::{Seen, Service, ZONE, bare_to, eventually, post, waits},
    talker::{collect, fed},
};

async fn serve(limits: CallLimits, tasks: &Tasks) -> (Serving, Arc<Seen>) {
    let service = Service::default();
    let seen = Arc::clone(&service.0);
    let calls = Calls::new(Routes::new(TestServiceServer::new(service)), limits);
    let listener = Listener::bind(ListenAddress::loopback(0), Security::Plain).await;
    let serving = rpc::serve(listener.unwrap(), calls, tasks, Limits::default());
    (serving, seen)
}

#[tokio::test]
async fn g09_no_more_calls_run_at_a_time_than_may() {
    let tasks = Tasks::new();
    let limits = CallLimits {
        running: 3,
        ..CallLimits::default()
    };
    let (serving, seen) = serve(limits, &tasks).await;
    let target = Target::from(serving.address()).with_server_name(ZONE).unwrap();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..3 {
        // A connection each: the bound is that of the service.
        let channel = rpc::connect(&target, &Trust::Plaintext).await.unwrap();
        running.spawn(async move { TestServiceClient::new(channel).unary_call(waits(600_000)).await });
    }
    eventually("three run", || seen.running() == 3).await;
    let channel = rpc::connect(&target, &Trust::Plaintext).await.unwrap();
    let mut client = TestServiceClient::new(channel);
    let status = client.empty_call(Empty::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(
        status.message(),
        "too many calls run at this moment: make it again later"
    );
    running.abort_all();
    eventually("none runs", || seen.running() == 0).await;
    let free = testbed::eventually(PATIENCE, async || {
        client.empty_call(Empty::default()).await.is_ok()
    });
    assert!(free.await, "their places are free again");
}

fn part(bytes: usize) -> Vec<u8> {
    let body = vec![b'x'; bytes].into();
    let payload = Some(Payload { r#type: 0, body });
    let message = StreamingInputCallRequest {
        payload,
        ..StreamingInputCallRequest::default()
    };
    let message = message.encode_to_vec();
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend(message);
    framed
}

#[tokio::test]
async fn g10_a_message_that_does_not_become_whole_ends_its_call_and_a_slow_stream_goes_on() {
    let tasks = Tasks::new();
    let limits = CallLimits {
        message_time: Duration::from_secs(2),
        ..CallLimits::default()
    };
    let (serving, seen) = serve(limits, &tasks).await;
    let mut sender = bare_to(serving.address()).await;
    for method in ["UnaryCall", "StreamingInputCall"] {
        let (feed, body) = fed();
        let mut request = post(&format!("/grpc.testing.TestService/{method}"));
        *request.body_mut() = body;
        let mut half = part(1000);
        half.truncate(500);
        feed.send(half).await.unwrap();
        let answer = timeout(PATIENCE, sender.send_request(request)).await;
        let answer = answer.expect("an answer").unwrap();
        let early = answer.headers().get("grpc-status").cloned();
        let (_, trailers) = collect(answer).await;
        assert_eq!(
            early.as_ref().or(trailers.get("grpc-status")).unwrap(),
            "14",
            "{method}"
        );
        drop(feed);
    }
    assert_eq!(*seen.uploads.lock().unwrap(), [Err(Code::Unavailable)]);
    // Between messages there is all the time in the world.
    let (feed, body) = fed();
    let mut request = post("/grpc.testing.TestService/StreamingInputCall");
    *request.body_mut() = body;
    let answer = tokio::spawn(sender.send_request(request));
    for _ in 0..3 {
        let message = part(1000);
        let (first, rest) = message.split_at(3);
        feed.send(first.to_vec()).await.unwrap();
        feed.send(rest.to_vec()).await.unwrap();
        // may sleep: the stream under test is a slow one
        tokio::time::sleep(Duration::from_millis(1000)).await;
    }
    drop(feed);
    let answer = timeout(PATIENCE, answer)
        .await
        .expect("an answer")
        .unwrap()
        .unwrap();
    let (_, trailers) = collect(answer).await;
    assert_eq!(trailers["grpc-status"], "0");
}
