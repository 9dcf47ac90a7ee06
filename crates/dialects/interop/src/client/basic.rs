//! Cases of one request and one answer.
//!
//! What it leaves to others: metadata, statuses and ends (`ends`), compression, tokens.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use rpc::Channel;
use tonic::Request;
use wire::grpc::testing::{Empty, SimpleRequest, SimpleResponse};

use super::{Stub, bare, failed, length, payload, same};
use crate::Error;

/// The sizes of a large request and a large answer, in bytes.
pub(super) const LARGE: (usize, i32) = (271_828, 314_159);
/// How many calls show that they all go to one server.
const PICKS: usize = 100;

/// A large request, to which more may be added.
pub(super) fn large() -> SimpleRequest {
    SimpleRequest {
        response_size: LARGE.1,
        payload: payload(LARGE.0),
        ..SimpleRequest::default()
    }
}

/// Makes the call and holds its answer to its size.
pub(super) async fn call(stub: &mut Stub, request: SimpleRequest) -> Result<SimpleResponse, Error> {
    let size = request.response_size;
    let answer = stub.unary_call(request).await.map_err(failed("UnaryCall"))?;
    let answer = answer.into_inner();
    sized(&answer, size)?;
    Ok(answer)
}

/// Holds an answer to its size.
pub(super) fn sized(answer: &SimpleResponse, size: i32) -> Result<(), Error> {
    let wanted = usize::try_from(size).unwrap_or_default();
    same("bytes of the answer", wanted, length(answer.payload.as_ref()))
}

/// Has the connection stand, so that what follows is about a call and not about how long a connection takes.
pub(super) async fn connected(stub: &mut Stub) -> Result<(), Error> {
    stub.empty_call(Empty {})
        .await
        .map(drop)
        .map_err(failed("EmptyCall"))
}

pub(super) async fn empty_unary(channel: Channel) -> Result<(), Error> {
    let answer = bare::call(
        channel,
        "/grpc.testing.TestService/EmptyCall",
        Request::new(Empty {}),
    );
    same("bytes of the answer", 0, answer.await?.message.len())
}

pub(super) async fn large_unary(mut stub: Stub) -> Result<(), Error> {
    call(&mut stub, large()).await.map(drop)
}

pub(super) async fn pick_first(mut stub: Stub) -> Result<(), Error> {
    let mut first = None;
    for _ in 0..PICKS {
        let request = SimpleRequest {
            fill_server_id: true,
            ..SimpleRequest::default()
        };
        let id = call(&mut stub, request).await?.server_id;
        same("whether the server has an id", false, id.is_empty())?;
        same(
            "the server's id",
            first.get_or_insert_with(|| id.clone()).clone(),
            id,
        )?;
    }
    Ok(())
}

pub(super) async fn concurrent(stub: Stub, count: u32) -> Result<(), Error> {
    let calls = stream::iter(0..count).map(|_number| {
        let mut stub = stub.clone();
        async move { call(&mut stub, large()).await.map(drop) }
    });
    let all = usize::try_from(count).unwrap_or(usize::MAX);
    calls.buffer_unordered(all.max(1)).try_collect().await
}
