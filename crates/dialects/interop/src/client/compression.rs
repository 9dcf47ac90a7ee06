//! Cases that look at which messages are compressed.
//!
//! What it leaves to others: packing and unpacking (`rpc`).

use futures::stream;
use rpc::{CallOptions, Compression};
use tonic::{Code, Request, Response, Status};
use wire::grpc::testing::{
    BoolValue, ResponseParameters, SimpleRequest, SimpleResponse, StreamingInputCallRequest,
    StreamingInputCallResponse, StreamingOutputCallRequest,
};

use super::{Stub, basic, ended, failed, payload, same, streams};
use crate::Error;

/// The sizes of the two requests of a stream, in bytes, and what they sum up to.
const REQUESTS: ([usize; 2], i32) = ([27_182, 45_904], 73_086);
/// The sizes of the two answers of a stream, in bytes.
const ANSWERS: [i32; 2] = [31_415, 92_653];

/// A request with this way of compressing.
fn with<T>(message: T, compress: Option<bool>, compression: Option<&Compression>) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(CallOptions {
        compress,
        compression: compression.cloned(),
        ..CallOptions::default()
    });
    request
}

/// A large call whose request goes compressed or not, and says `said` of itself.
async fn unary(stub: &mut Stub, goes: bool, said: bool) -> Result<SimpleResponse, Status> {
    let asked = SimpleRequest {
        expect_compressed: Some(BoolValue { value: said }),
        ..basic::large()
    };
    let answer = stub.unary_call(with(asked, Some(goes), None)).await;
    answer.map(Response::into_inner)
}

/// First a probe: a server that does not look cannot be tested.
pub(super) async fn client_unary(mut stub: Stub) -> Result<(), Error> {
    let probe = unary(&mut stub, false, true).await;
    ended("the code of the probe", Code::InvalidArgument, probe)?;
    let answer = unary(&mut stub, true, true).await;
    basic::sized(
        &answer.map_err(failed("the compressed UnaryCall"))?,
        basic::LARGE.1,
    )?;
    let answer = unary(&mut stub, false, false).await;
    basic::sized(&answer.map_err(failed("the plain UnaryCall"))?, basic::LARGE.1)
}

pub(super) async fn server_unary(mut stub: Stub) -> Result<(), Error> {
    for wanted in [true, false] {
        let seen = Compression::new();
        let asked = SimpleRequest {
            response_compressed: Some(BoolValue { value: wanted }),
            ..basic::large()
        };
        let answer = stub.unary_call(with(asked, None, Some(&seen))).await;
        basic::sized(answer.map_err(failed("UnaryCall"))?.get_ref(), basic::LARGE.1)?;
        same(
            "whether the answer came compressed",
            wanted,
            seen.message_was_compressed(),
        )?;
    }
    Ok(())
}

/// Requests of a stream, each of which goes compressed or not as the list says, and says `said` of itself.
async fn upload(stub: &mut Stub, goes: &[bool], said: &[bool]) -> Result<StreamingInputCallResponse, Status> {
    let requests = REQUESTS
        .0
        .into_iter()
        .zip(said)
        .map(|(size, said)| StreamingInputCallRequest {
            payload: payload(size),
            expect_compressed: Some(BoolValue { value: *said }),
        });
    let requests = stream::iter(requests.collect::<Vec<_>>());
    let chosen = Compression::new();
    for goes in goes {
        chosen.compress_next(*goes);
    }
    let answer = stub
        .streaming_input_call(with(requests, None, Some(&chosen)))
        .await;
    answer.map(Response::into_inner)
}

/// First a probe, as in [`client_unary`].
pub(super) async fn client_streaming(mut stub: Stub) -> Result<(), Error> {
    let probe = upload(&mut stub, &[false], &[true]).await;
    ended("the code of the probe", Code::InvalidArgument, probe)?;
    let answer = upload(&mut stub, &[true, false], &[true, false]).await;
    let answer = answer.map_err(failed("StreamingInputCall"))?;
    same("the sum", REQUESTS.1, answer.aggregated_payload_size)
}

pub(super) async fn server_streaming(mut stub: Stub) -> Result<(), Error> {
    let wanted = [true, false];
    let parameters = ANSWERS
        .into_iter()
        .zip(wanted)
        .map(|(size, value)| ResponseParameters {
            compressed: Some(BoolValue { value }),
            ..streams::sized(size)
        });
    let asked = StreamingOutputCallRequest {
        response_parameters: parameters.collect(),
        ..StreamingOutputCallRequest::default()
    };
    let seen = Compression::new();
    let answers = stub.streaming_output_call(with(asked, None, Some(&seen))).await;
    let mut answers = answers.map_err(failed("StreamingOutputCall"))?.into_inner();
    for (size, wanted) in ANSWERS.into_iter().zip(wanted) {
        streams::next(&mut answers, size).await?;
        same(
            "whether the answer came compressed",
            wanted,
            seen.message_was_compressed(),
        )?;
    }
    streams::over(&mut answers).await
}
