//! Calls of the test service whose answers come as they were sent: bytes, and what went before and after them. A generated
//! stub gives the metadata of both ends as one, and forgets what it does not know of a message.
//!
//! What it leaves to others: what has to come (`basic`, `ends`).

use std::marker::PhantomData;

use bytes::{Buf as _, Bytes};
use http::uri::PathAndQuery;
use prost::Message;
use rpc::Channel;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
};

use super::{failed, same};
use crate::Error;

/// An answer and the metadata at both its ends.
pub(super) struct Answer {
    pub(super) initial: MetadataMap,
    pub(super) message: Bytes,
    pub(super) trailing: MetadataMap,
}

/// Makes a call that has one request and must have one answer and end well.
pub(super) async fn call<T: Message + 'static>(
    channel: Channel,
    path: &'static str,
    request: Request<T>,
) -> Result<Answer, Error> {
    let mut caller = Grpc::new(channel);
    let Ok(()) = caller.ready().await;
    let codec = Bare(PhantomData);
    let answered = caller.server_streaming(request, PathAndQuery::from_static(path), codec);
    let (initial, mut answers, _extensions) = answered.await.map_err(failed(path))?.into_parts();
    let message = answers.message().await.map_err(failed(path))?;
    let more = answers.message().await.map_err(failed(path))?.is_some();
    same(
        "whether there is one answer",
        (true, false),
        (message.is_some(), more),
    )?;
    let trailing = answers.trailers().await.map_err(failed(path))?;
    Ok(Answer {
        initial,
        message: message.unwrap_or_default(),
        trailing: trailing.unwrap_or_default(),
    })
}

/// Packs messages and leaves answers as they are.
struct Bare<T>(PhantomData<T>);

impl<T: Message + 'static> Codec for Bare<T> {
    type Encode = T;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self(PhantomData)
    }

    fn decoder(&mut self) -> Self {
        Self(PhantomData)
    }
}

impl<T: Message> Encoder for Bare<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, message: T, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message
            .encode(into)
            .map_err(|fault| wire::status(model::ErrorKind::Internal, fault.to_string()))
    }
}

impl<T> Decoder for Bare<T> {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
