//! Cases of how calls end, and of the metadata around them.
//!
//! What it leaves to others: calls that go well (`basic`, `streams`).

use std::time::Duration;

use futures::stream;
use prost::Message as _;
use rpc::{CallOptions, Cancel, Channel};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Code, Request, Status,
    metadata::{MetadataMap, MetadataValue},
};
use wire::grpc::testing::{
    EchoStatus, Empty, SimpleRequest, SimpleResponse, StreamingInputCallRequest, StreamingOutputCallRequest,
    unimplemented_service_client::UnimplementedServiceClient,
};

use super::{Stub, bare, basic, ended, failed, payload, same, streams};
use crate::Error;

/// Metadata that comes back before the answer.
const INITIAL: (&str, &str) = ("x-grpc-test-echo-initial", "test_initial_metadata_value");
/// Metadata that comes back after it.
const TRAILING: (&str, [u8; 3]) = ("x-grpc-test-echo-trailing-bin", [0xab; 3]);
/// The status that is asked for.
const STATUS: (Code, &str) = (Code::Unknown, "test status message");
/// A message with everything that has to be escaped on the way.
const SPECIAL: &str = "\t\ntest with whitespace\r\nand Unicode BMP \u{263a} and non-BMP \u{1f608}\t\n";

fn with_metadata<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert(INITIAL.0, MetadataValue::from_static(INITIAL.1));
    metadata.insert_bin(TRAILING.0, MetadataValue::from_bytes(&TRAILING.1));
    request
}

fn initial(metadata: &MetadataMap) -> Result<(), Error> {
    let found = metadata.get_all(INITIAL.0).iter();
    let found: Vec<_> = found.map(|value| value.as_bytes().to_vec()).collect();
    same("initial metadata", vec![INITIAL.1.as_bytes().to_vec()], found)?;
    let early = metadata.get_bin(TRAILING.0).is_some();
    same("whether trailing metadata comes first", false, early)
}

fn trailing(metadata: &MetadataMap) -> Result<(), Error> {
    let found = metadata.get_all_bin(TRAILING.0).iter();
    let found: Vec<_> = found.map(|value| value.to_bytes().ok().map(Vec::from)).collect();
    same("trailing metadata", vec![Some(TRAILING.1.to_vec())], found)?;
    let late = metadata.get(INITIAL.0).is_some();
    same("whether initial metadata comes last", false, late)
}

/// By a unary call and by a stream: each kind of metadata comes at its time, and only then.
pub(super) async fn custom_metadata(channel: Channel) -> Result<(), Error> {
    let request = with_metadata(basic::large());
    let answer = bare::call(channel.clone(), "/grpc.testing.TestService/UnaryCall", request).await?;
    initial(&answer.initial)?;
    trailing(&answer.trailing)?;
    let message = SimpleResponse::decode(answer.message);
    let message = message.map_err(|fault| Error::Differs {
        what: "the answer",
        wanted: "a SimpleResponse".to_owned(),
        found: fault.to_string(),
    })?;
    basic::sized(&message, basic::LARGE.1)?;
    let request = with_metadata(stream::iter([streams::ping(basic::LARGE.0, basic::LARGE.1)]));
    let answers = Stub::new(channel).full_duplex_call(request).await;
    let answers = answers.map_err(failed("FullDuplexCall"))?;
    initial(answers.metadata())?;
    let mut answers = answers.into_inner();
    streams::next(&mut answers, basic::LARGE.1).await?;
    streams::over(&mut answers).await?;
    let last = answers.trailers().await.map_err(failed("the trailers"))?;
    trailing(&last.unwrap_or_default())
}

fn asked(code: Code, message: &str) -> Option<EchoStatus> {
    Some(EchoStatus {
        code: code.into(),
        message: message.to_owned(),
    })
}

/// The status of a stream of answers, wherever it comes.
async fn of_stream(stub: &mut Stub, request: StreamingOutputCallRequest) -> Result<(), Status> {
    let mut answers = stub.full_duplex_call(stream::iter([request])).await?.into_inner();
    while answers.message().await?.is_some() {}
    Ok(())
}

pub(super) async fn status_code_and_message(mut stub: Stub) -> Result<(), Error> {
    let request = SimpleRequest {
        response_status: asked(STATUS.0, STATUS.1),
        ..SimpleRequest::default()
    };
    let message = ended("the code of UnaryCall", STATUS.0, stub.unary_call(request).await)?;
    same("the message of UnaryCall", STATUS.1, &message)?;
    let request = StreamingOutputCallRequest {
        response_status: asked(STATUS.0, STATUS.1),
        ..StreamingOutputCallRequest::default()
    };
    let message = ended(
        "the code of FullDuplexCall",
        STATUS.0,
        of_stream(&mut stub, request).await,
    )?;
    same("the message of FullDuplexCall", STATUS.1, &message)
}

pub(super) async fn special_status_message(mut stub: Stub) -> Result<(), Error> {
    let request = SimpleRequest {
        response_status: asked(STATUS.0, SPECIAL),
        ..SimpleRequest::default()
    };
    let message = ended("the code of UnaryCall", STATUS.0, stub.unary_call(request).await)?;
    same("the message of UnaryCall", SPECIAL, &message)
}

pub(super) async fn unimplemented_method(mut stub: Stub) -> Result<(), Error> {
    let answer = stub.unimplemented_method(Empty {}).await;
    ended("the code of UnimplementedMethod", Code::Unimplemented, answer).map(drop)
}

pub(super) async fn unimplemented_service(channel: Channel) -> Result<(), Error> {
    let answer = UnimplementedServiceClient::new(channel)
        .unimplemented_call(Empty {})
        .await;
    ended("the code of UnimplementedCall", Code::Unimplemented, answer).map(drop)
}

/// A request that can be cancelled from outside.
fn cancellable<T>(message: T) -> (Request<T>, Cancel) {
    let cancel = Cancel::new();
    let mut request = Request::new(message);
    request.extensions_mut().insert(CallOptions {
        cancel: Some(cancel.clone()),
        ..CallOptions::default()
    });
    (request, cancel)
}

pub(super) async fn cancel_after_begin(mut stub: Stub) -> Result<(), Error> {
    basic::connected(&mut stub).await?;
    let requests = stream::pending::<StreamingInputCallRequest>();
    let (request, cancel) = cancellable(requests);
    let call = stub.streaming_input_call(request);
    let begun = async {
        // Polled after the call, so that the call has begun.
        tokio::task::yield_now().await;
        cancel.cancel();
    };
    let (answer, ()) = tokio::join!(biased; call, begun);
    ended("the code of StreamingInputCall", Code::Cancelled, answer).map(drop)
}

pub(super) async fn cancel_after_first_response(mut stub: Stub) -> Result<(), Error> {
    let (sender, receiver) = mpsc::channel(1);
    let (request, cancel) = cancellable(ReceiverStream::new(receiver));
    let first = sender.send(streams::ping(streams::REQUESTS[0], streams::ANSWERS[0]));
    let (answers, sent) = tokio::join!(stub.full_duplex_call(request), first);
    same("whether the first request goes out", true, sent.is_ok())?;
    let mut answers = answers.map_err(failed("FullDuplexCall"))?.into_inner();
    streams::next(&mut answers, streams::ANSWERS[0]).await?;
    cancel.cancel();
    let end = answers.message().await;
    ended("the code of FullDuplexCall", Code::Cancelled, end).map(drop)
}

/// One request that asks for no answer, and a deadline that cannot be met: over a connection that stands, because the
/// server would else never hear of the call.
pub(super) async fn timeout(mut stub: Stub) -> Result<(), Error> {
    basic::connected(&mut stub).await?;
    let (sender, receiver) = mpsc::channel(1);
    let request = StreamingOutputCallRequest {
        payload: payload(streams::REQUESTS[0]),
        ..StreamingOutputCallRequest::default()
    };
    let call = async {
        let mut answers = stub
            .full_duplex_call(rpc::within(
                ReceiverStream::new(receiver),
                Duration::from_millis(1),
            ))
            .await?
            .into_inner();
        answers.message().await
    };
    let (answer, sent) = tokio::join!(call, sender.send(request));
    // The deadline may pass before the request goes out, and the sender lives on until here.
    drop((sent, sender));
    ended("the code of FullDuplexCall", Code::DeadlineExceeded, answer).map(drop)
}
