//! What the test server can do and no official case of ours asks for.

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt as _, stream};
use interop::Case;
use rpc::{CallOptions, Channel, ChannelArgs, ChannelCredentials};
use tasks::Clock;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request};
use wire::grpc::testing::{
    BoolValue, Empty, Payload, ResponseParameters, SimpleRequest, StreamingOutputCallRequest,
    test_service_client::TestServiceClient,
};

use crate::support::{Bed, Mode};

fn stub(bed: &Bed) -> TestServiceClient<Channel> {
    let channel = Channel::new(
        &bed.settings.target,
        &ChannelCredentials::insecure(),
        ChannelArgs::new(),
    );
    TestServiceClient::new(channel.unwrap())
}

fn asks(size: i32) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        response_parameters: vec![ResponseParameters {
            size,
            ..ResponseParameters::default()
        }],
        ..StreamingOutputCallRequest::default()
    }
}

#[tokio::test]
async fn half_duplex_answers_everything_once_the_last_request_has_come() {
    let bed = Bed::open(Mode::Plain).await;
    let (sender, receiver) = mpsc::channel(4);
    let mut stub = stub(&bed);
    let call = stub.half_duplex_call(ReceiverStream::new(receiver));
    let sends = async {
        for size in [3, 1, 2] {
            sender.send(asks(size)).await.unwrap();
        }
        drop(sender);
    };
    let (answers, ()) = tokio::join!(call, sends);
    let answers = answers.unwrap().into_inner();
    let sizes: Vec<_> = answers
        .map(|answer| answer.unwrap().payload.unwrap().body.len())
        .collect()
        .await;
    assert_eq!(sizes, [3, 1, 2]);
    let endless = stream::iter(std::iter::repeat_with(|| asks(1)).take(2000));
    let refused = stub.half_duplex_call(endless).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    // Few requests may ask for much, too.
    let mut greedy = asks(0);
    greedy.response_parameters = vec![ResponseParameters::default(); 20_000];
    let refused = stub
        .half_duplex_call(stream::iter(vec![greedy; 3]))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn an_answer_waits_for_its_interval() {
    let bed = Bed::open(Mode::Plain).await;
    let mut asked = asks(1);
    asked.response_parameters[0].interval_us = 200_000;
    let clock = Clock::system();
    let begun = clock.monotonic();
    let mut answers = stub(&bed)
        .streaming_output_call(asked)
        .await
        .unwrap()
        .into_inner();
    answers.message().await.unwrap().unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_message_that_comes_compressed_against_its_word_is_refused() {
    let bed = Bed::open(Mode::Plain).await;
    let asked = SimpleRequest {
        payload: Some(Payload {
            r#type: 0,
            body: vec![0; 1000].into(),
        }),
        expect_compressed: Some(BoolValue { value: false }),
        ..SimpleRequest::default()
    };
    let mut request = Request::new(asked);
    request.extensions_mut().insert(CallOptions {
        compress: Some(true),
        ..CallOptions::default()
    });
    let refused = stub(&bed).unary_call(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("expect_compressed"), "{refused}");
}

#[tokio::test]
async fn answers_are_zeros() {
    let bed = Bed::open(Mode::Plain).await;
    let asked = SimpleRequest {
        response_size: 1000,
        payload: Some(Payload {
            r#type: 0,
            body: vec![7; 1000].into(),
        }),
        ..SimpleRequest::default()
    };
    let answer = stub(&bed).unary_call(asked).await.unwrap().into_inner();
    assert_eq!(answer.payload.unwrap().body, [0; 1000][..]);
    let mut answers = stub(&bed)
        .streaming_output_call(asks(1000))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    assert_eq!(answer.payload.unwrap().body, [0; 1000][..]);
}

#[tokio::test]
async fn two_servers_have_two_ids_and_one_has_one() {
    let mut ids = BTreeSet::new();
    for bed in [Bed::open(Mode::Plain).await, Bed::open(Mode::Plain).await] {
        for _ in 0..3 {
            let asked = SimpleRequest {
                fill_server_id: true,
                ..SimpleRequest::default()
            };
            ids.insert(stub(&bed).unary_call(asked).await.unwrap().into_inner().server_id);
        }
    }
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn what_is_not_built_says_so() {
    let bed = Bed::open(Mode::Plain).await;
    let refused = stub(&bed)
        .cacheable_unary_call(SimpleRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    let refused = stub(&bed).unimplemented_method(Empty {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}

#[tokio::test]
async fn metadata_and_a_service_configuration_go_along_with_every_case() {
    let mut bed = Bed::open(Mode::Plain).await;
    bed.settings.metadata.insert("x-run", "7".parse().unwrap());
    bed.settings.service_config = Some("{}".to_owned());
    for case in [Case::EmptyUnary, Case::PingPong] {
        case.run(&bed.settings).await.unwrap();
    }
    bed.settings.service_config = Some("no JSON".to_owned());
    Case::EmptyUnary.run(&bed.settings).await.unwrap_err();
}

#[tokio::test]
async fn a_case_that_does_not_pass_says_what_came() {
    let mut bed = Bed::open(Mode::Tls).await;
    bed.settings.default_account = "somebody else".to_owned();
    let fault = Case::ComputeEngineCreds
        .run(&bed.settings)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        fault.contains("the caller: \"somebody else\" is right, and \"tester@"),
        "{fault}"
    );
    bed.settings.soak.acceptable_latency = Duration::ZERO;
    bed.settings.soak.max_failures = 9;
    let fault = Case::RpcSoak.run(&bed.settings).await.unwrap_err().to_string();
    assert!(fault.ends_with("at most 9 is right, and 10 came"), "{fault}");
}
