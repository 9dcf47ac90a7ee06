//! Cases of several requests or several answers.
//!
//! What it leaves to others: streams that end early (`ends`) and compressed ones (`compression`).

use futures::stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use wire::grpc::testing::{
    ResponseParameters, StreamingInputCallRequest, StreamingOutputCallRequest, StreamingOutputCallResponse,
};

use super::{Stub, failed, length, payload, same};
use crate::Error;

/// The sizes of the four requests, in bytes.
pub(super) const REQUESTS: [usize; 4] = [27_182, 8, 1_828, 45_904];
/// The sizes of the four answers, in bytes.
pub(super) const ANSWERS: [i32; 4] = [31_415, 9, 2_653, 58_979];
/// What the requests sum up to.
const SUM: i32 = 74_922;

/// One answer of this size.
pub(super) fn sized(size: i32) -> ResponseParameters {
    ResponseParameters {
        size,
        ..ResponseParameters::default()
    }
}

/// A request of this size that asks for one answer.
pub(super) fn ping(request: usize, answer: i32) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        response_parameters: vec![sized(answer)],
        payload: payload(request),
        ..StreamingOutputCallRequest::default()
    }
}

/// The next answer, of this size.
pub(super) async fn next(
    answers: &mut Streaming<StreamingOutputCallResponse>,
    size: i32,
) -> Result<(), Error> {
    let answer = answers
        .message()
        .await
        .map_err(failed("an answer of the stream"))?;
    let found = answer.as_ref().map(|answer| length(answer.payload.as_ref()));
    same("bytes of the answer", usize::try_from(size).ok(), found)
}

/// No further answer, and OK.
pub(super) async fn over(answers: &mut Streaming<StreamingOutputCallResponse>) -> Result<(), Error> {
    let more = answers.message().await.map_err(failed("the end of the stream"))?;
    same("whether there is one more answer", false, more.is_some())
}

pub(super) async fn client_streaming(mut stub: Stub) -> Result<(), Error> {
    let requests = REQUESTS.map(|size| StreamingInputCallRequest {
        payload: payload(size),
        ..StreamingInputCallRequest::default()
    });
    let answer = stub.streaming_input_call(stream::iter(requests)).await;
    let answer = answer.map_err(failed("StreamingInputCall"))?;
    same("the sum", SUM, answer.into_inner().aggregated_payload_size)
}

pub(super) async fn server_streaming(mut stub: Stub) -> Result<(), Error> {
    let request = StreamingOutputCallRequest {
        response_parameters: ANSWERS.map(sized).into(),
        ..StreamingOutputCallRequest::default()
    };
    let answers = stub.streaming_output_call(request).await;
    let mut answers = answers.map_err(failed("StreamingOutputCall"))?.into_inner();
    for size in ANSWERS {
        next(&mut answers, size).await?;
    }
    over(&mut answers).await
}

pub(super) async fn ping_pong(mut stub: Stub) -> Result<(), Error> {
    let (sender, receiver) = mpsc::channel(1);
    let call = stub.full_duplex_call(ReceiverStream::new(receiver));
    // The server may want the first request before it says anything.
    let first = sender.send(ping(REQUESTS[0], ANSWERS[0]));
    let (answers, sent) = tokio::join!(call, first);
    same("whether the first request goes out", true, sent.is_ok())?;
    let mut answers = answers.map_err(failed("FullDuplexCall"))?.into_inner();
    next(&mut answers, ANSWERS[0]).await?;
    for (request, answer) in REQUESTS.into_iter().zip(ANSWERS).skip(1) {
        let sent = sender.send(ping(request, answer)).await;
        same("whether a request goes out", true, sent.is_ok())?;
        next(&mut answers, answer).await?;
    }
    drop(sender);
    over(&mut answers).await
}

pub(super) async fn empty_stream(mut stub: Stub) -> Result<(), Error> {
    let answers = stub.full_duplex_call(stream::iter([])).await;
    over(&mut answers.map_err(failed("FullDuplexCall"))?.into_inner()).await
}
