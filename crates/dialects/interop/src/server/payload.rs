//! What is asked of the server beside its messages: payloads, statuses, metadata that comes back, compression.
//!
//! What it leaves to others: which call asks for which of it (`service`).

use bytes::Bytes;
use model::ErrorKind;
use rpc::Call;
use tonic::{
    Request, Status,
    metadata::{KeyAndValueRef, MetadataMap},
};
use wire::grpc::testing::{BoolValue, EchoStatus, Payload, PayloadType};

/// What comes back as initial metadata.
const INITIAL: &str = "x-grpc-test-echo-initial";
/// What comes back as trailing metadata.
const TRAILING: &str = "x-grpc-test-echo-trailing-bin";

/// The most bytes of one payload that may be asked for: anybody can ask.
const MOST: usize = 16 * 1024 * 1024;

/// A payload of zeros.
pub(super) fn payload(kind: i32, size: i32) -> Result<Payload, Status> {
    if PayloadType::try_from(kind) != Ok(PayloadType::Compressable) {
        let text = format!("payload type {kind} is not known: 0 (COMPRESSABLE) is");
        return Err(wire::status(ErrorKind::Invalid, text));
    }
    let size = usize::try_from(size).map_err(|_negative| {
        let text = format!("payload size {size} is less than nothing: ask for 0 or more bytes");
        wire::status(ErrorKind::Invalid, text)
    })?;
    if size > MOST {
        let text = format!("payload size {size} is over what is sent here, {MOST} bytes");
        return Err(wire::status(ErrorKind::Exhausted, text));
    }
    Ok(Payload {
        r#type: kind,
        body: Bytes::from(vec![0; size]),
    })
}

/// The status that a request asks for; OK is none.
pub(super) fn status(asked: Option<EchoStatus>) -> Result<(), Status> {
    match asked {
        Some(EchoStatus { code, message }) if code != 0 => Err(Status::new(code.into(), message)),
        Some(_) | None => Ok(()),
    }
}

/// Holds the message that came last to what its sender says of it.
pub(super) fn compression(call: &Call, expected: Option<BoolValue>) -> Result<(), Status> {
    match (expected, call.message_was_compressed()) {
        (Some(BoolValue { value: true }), false) => Err(wire::status(
            ErrorKind::Invalid,
            "expect_compressed is set, and the message did not come compressed",
        )),
        (Some(BoolValue { value: false }), true) => Err(wire::status(
            ErrorKind::Invalid,
            "expect_compressed is set to false, and the message came compressed",
        )),
        (Some(_) | None, _) => Ok(()),
    }
}

/// The call of a request.
pub(super) fn call<T>(request: &Request<T>) -> Result<Call, Status> {
    let call = Call::of(request.extensions()).cloned();
    call.ok_or_else(|| wire::status(ErrorKind::Internal, "a request came without its call"))
}

/// Sends back what is to come back: trailing metadata through the call, initial metadata as the result.
pub(super) fn echo(metadata: &MetadataMap, call: &Call) -> MetadataMap {
    let mut initial = MetadataMap::new();
    let mut trailing = MetadataMap::new();
    for entry in metadata.iter() {
        match entry {
            KeyAndValueRef::Ascii(name, value) if name == INITIAL => {
                initial.append(INITIAL, value.clone());
            }
            KeyAndValueRef::Binary(name, value) if name == TRAILING => {
                trailing.append_bin(TRAILING, value.clone());
            }
            KeyAndValueRef::Ascii(..) | KeyAndValueRef::Binary(..) => {}
        }
    }
    if !trailing.is_empty() {
        call.add_trailing_metadata(trailing);
    }
    initial
}
