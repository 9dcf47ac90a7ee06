//! The bodies of a call over a channel, on the side that calls.
//!
//! What it leaves to others: where messages begin and end (`framing`), and the deadline (`body`).

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE};
use http_body::{Body as HttpBody, Frame};
use model::ErrorKind;
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};
use tonic::{Code, Status, body::Body};

use super::{
    CallOptions, Compression,
    exchange::{self, STATUS, cancelled, given_up},
    keep::{Active, Core},
    service_config::Method,
};
use crate::{
    Deadline,
    body::Outgoing,
    details,
    error::shortened,
    form,
    framing::{Messages, Refusal},
    gzip::{self, Encoding},
    held::Allowance,
    packer::Packer,
};

tokio::task_local! {
    /// The call whose request is being polled.
    static SENDING: CancellationToken;
}

/// Cancels the call whose request is being polled; false elsewhere.
pub(crate) fn give_up() -> bool {
    SENDING.try_with(CancellationToken::cancel).is_ok()
}

/// The body of a request. It ends in an error, which resets the call at the server, once nobody waits for the answer.
pub(crate) struct Sending {
    body: Body,
    packing: Option<Packing>,
    token: CancellationToken,
    given_up: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// Which messages of a request are compressed.
struct Packing {
    packer: Packer,
    usual: bool,
    chosen: Option<Compression>,
}

impl Packing {
    fn of(usual: bool, options: &CallOptions) -> Option<Self> {
        let usual = options.compress.unwrap_or(usual);
        let chosen = options.compression.as_ref();
        let by_message = chosen.is_some_and(|chosen| options.compress.is_some() || chosen.has_said());
        (usual || by_message).then(|| Self {
            packer: Packer::default(),
            usual,
            chosen: chosen.cloned(),
        })
    }

    fn pack(&mut self, data: &[u8]) -> Bytes {
        let Self {
            packer,
            usual,
            chosen,
        } = self;
        packer.pack(data, || {
            let own = chosen.as_ref().and_then(Compression::take_next);
            own.unwrap_or(*usual)
        })
    }
}

impl Sending {
    /// Puts what belongs to the body into the headers of the call too. `compress` where the options say nothing.
    pub(crate) fn new(
        body: Body,
        compress: bool,
        options: &CallOptions,
        token: &CancellationToken,
        headers: &mut HeaderMap,
    ) -> Self {
        let packing = Packing::of(compress, options);
        if packing.is_some() {
            headers.insert(gzip::ENCODING, gzip::GZIP);
        }
        Self {
            body,
            packing,
            token: token.clone(),
            given_up: Box::pin(token.clone().cancelled_owned()),
        }
    }
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let sending = &mut *self;
        loop {
            if sending.given_up.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Some(Err(given_up())));
            }
            let Sending { body, token, .. } = sending;
            let polled = SENDING.sync_scope(token.clone(), || Pin::new(body).poll_frame(cx));
            let frame = ready!(polled);
            let (Some(Ok(frame)), Some(packing)) = (&frame, &mut sending.packing) else {
                return Poll::Ready(frame);
            };
            let packed = match frame.data_ref() {
                Some(data) => packing.pack(data),
                None => return Poll::Ready(None),
            };
            if !packed.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(packed))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// What the answer to a call has to do with the call.
pub(super) struct Awaited<'a> {
    pub(super) active: Active,
    pub(super) options: CallOptions,
    pub(super) method: Option<Arc<Method>>,
    pub(super) deadline: Option<&'a Deadline>,
    pub(super) token: &'a CancellationToken,
    pub(super) ending: DropGuard,
}

impl Awaited<'_> {
    /// Watches the answer: to its deadline, its end, and its compressed messages.
    pub(super) fn watch(self, response: Response<Body>) -> Response<Body> {
        if let Some(status) = foreign(&response) {
            return status.into_http();
        }
        let (mut parts, body) = response.into_parts();
        details::check(&mut parts.headers);
        let packed = gzip::encoding(&parts.headers) == Encoding::Gzip;
        if packed {
            parts.headers.remove(gzip::ENCODING);
        }
        let most = self.active.core().args.most_received;
        let receiving = Body::new(Receiving {
            body,
            messages: Messages::new(most, packed, Allowance::new(usize::MAX)),
            compression: self.options.compression,
            method: self.method,
            // What is no answer of a gRPC server is judged by its HTTP status.
            ended: parts.status != StatusCode::OK || parts.headers.contains_key(STATUS),
            given_up: Box::pin(self.token.clone().cancelled_owned()),
            running: Some((self.active, self.ending)),
        });
        let body = match self.deadline {
            Some(deadline) => Body::new(Outgoing::new(receiving, deadline)),
            None => receiving,
        };
        Response::from_parts(parts, body)
    }
}

/// What an answer says that no gRPC server has given, such as a proxy's page: nothing of its body is any message.
fn foreign(response: &Response<Body>) -> Option<Status> {
    let headers = response.headers();
    if form::is_grpc(headers) || headers.contains_key(STATUS) {
        return None;
    }
    let kind = headers
        .get(CONTENT_TYPE)
        .map(|kind| String::from_utf8_lossy(kind.as_bytes()));
    let kind = kind.map_or_else(|| "none".to_owned(), |kind| shortened(&kind));
    let line = response.status();
    let text = format!("the answer is none of a gRPC server: HTTP status {line}, content type {kind}");
    Some(Status::new(
        exchange::code_of(response).unwrap_or(Code::Unknown),
        text,
    ))
}

/// The body of an answer.
struct Receiving {
    body: Body,
    messages: Messages,
    compression: Option<Compression>,
    method: Option<Arc<Method>>,
    /// Whether there is a status already.
    ended: bool,
    given_up: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Nothing once it has ended.
    running: Option<(Active, DropGuard)>,
}

impl Receiving {
    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        core: &Core,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            match self.messages.next() {
                Ok(Some(piece)) => {
                    if let Some(compression) = &self.compression {
                        compression.note_compressed(self.messages.was_compressed());
                    }
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Ok(None) => {}
                Err(refusal) => return Poll::Ready(Some(Err(refused(refusal)))),
            }
            if self.given_up.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Some(Err(cancelled("the call was cancelled"))));
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None if self.ended => return Poll::Ready(None),
                None => {
                    let text = "the answer ended without a status";
                    return Poll::Ready(Some(Err(wire::status(ErrorKind::Internal, text))));
                }
                Some(Err(status)) => return Poll::Ready(Some(Err(core.torn(status)))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.messages.feed(data),
                    Err(trailers) => {
                        let status = trailers.trailers_ref().and_then(|said| said.get(STATUS));
                        if self.messages.is_inside() && status.is_some_and(|code| code == "0") {
                            let text = "the answer ended inside a message";
                            return Poll::Ready(Some(Err(wire::status(ErrorKind::Internal, text))));
                        }
                        self.ended = true;
                        return Poll::Ready(Some(Ok(details::checked(trailers))));
                    }
                },
            }
        }
    }
}

impl HttpBody for Receiving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(running) = self.running.take() else {
            return Poll::Ready(None);
        };
        let polled = self.poll_piece(cx, running.0.core());
        let goes_on = match &polled {
            Poll::Pending => true,
            Poll::Ready(Some(Ok(frame))) => frame.is_data(),
            Poll::Ready(None | Some(Err(_))) => false,
        };
        if goes_on {
            self.running = Some(running);
        } else if let Some(code) = code_of(&polled) {
            running.0.core().settle(self.method.as_deref(), code);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.running.is_none() || (self.body.is_end_stream() && self.messages.is_drained())
    }
}

/// The code with which an answer ends.
fn code_of(last: &Poll<Option<Result<Frame<Bytes>, Status>>>) -> Option<Code> {
    match last {
        Poll::Ready(Some(Ok(frame))) => {
            let status = frame.trailers_ref()?.get(STATUS)?;
            Some(Code::from_bytes(status.as_bytes()))
        }
        Poll::Ready(Some(Err(status))) => Some(status.code()),
        Poll::Ready(None) | Poll::Pending => None,
    }
}

fn refused(refusal: Refusal) -> Status {
    match refusal {
        Refusal::Long(_) | Refusal::LongUnpacked | Refusal::Busy => wire::status(
            ErrorKind::Exhausted,
            "a message of the answer is over the limit of this channel",
        ),
        Refusal::Malformed => wire::status(ErrorKind::Internal, "a message of the answer is not gzip"),
    }
}
