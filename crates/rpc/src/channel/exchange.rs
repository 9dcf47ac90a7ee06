//! One call over a channel: what goes along with it, its bodies, and its end for the side that calls.
//!
//! What it leaves to others: the connection (`keep`), and what credentials say (`credentials`).

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body::{Body as HttpBody, Frame};
use model::ErrorKind;
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};
use tonic::{Code, Status, body::Body};

use super::{
    CallOptions,
    keep::{Active, Core},
};
use crate::{
    Deadline,
    body::Outgoing,
    credentials,
    framing::{Messages, Refusal},
    gzip::{self, Encoding},
    held::Allowance,
    packer::Packer,
};

/// How a channel names itself that has no other name.
const AGENT: &str = concat!("soke/", env!("CARGO_PKG_VERSION"));

/// How often a call that was not sent goes to another connection.
const TRIES: usize = 5;

/// The answer to a call that its own side gave up.
pub(super) fn cancelled(text: &'static str) -> Status {
    Status::new(Code::Cancelled, text)
}

/// Sends a call and waits for the head of its answer. What may not be sent is refused before anything connects.
pub(super) async fn send(
    core: &Core,
    mut request: Request<Body>,
    options: &CallOptions,
    token: &CancellationToken,
) -> Result<Response<Body>, Status> {
    core.origin.complete(request.uri_mut());
    let both = core.credentials.iter().chain(&options.credentials);
    for (name, value) in &credentials::metadata(both, core.security, request.uri()).await? {
        request.headers_mut().append(name.clone(), value.clone());
    }
    let headers = request.headers_mut();
    let agent = core.args.user_agent.as_deref().unwrap_or(AGENT);
    if let Ok(agent) = HeaderValue::from_str(agent) {
        headers.insert(header::USER_AGENT, agent);
    }
    headers.insert(gzip::ACCEPT, gzip::UNDERSTOOD);
    let compress = options.compress.unwrap_or(core.args.compress);
    if compress {
        headers.insert(gzip::ENCODING, gzip::GZIP);
    }
    let packer = compress.then(Packer::default);
    let mut request = request.map(|body| {
        Body::new(Sending {
            body,
            packer,
            given_up: Box::pin(token.clone().cancelled_owned()),
        })
    });
    let wait = options.wait_for_ready.unwrap_or(core.args.wait_for_ready);
    for _ in 0..TRIES {
        let mut sender = core.sender(wait).await?;
        match sender.try_send_request(request).await {
            Ok(response) => return Ok(response.map(Body::new)),
            Err(mut failed) => match failed.take_message() {
                Some(back) => request = back,
                None => return Err(core.broke(failed.into_error())),
            },
        }
    }
    Err(wire::status(
        ErrorKind::Unavailable,
        "no connection lasts long enough to send a call",
    ))
}

/// Watches the answer: to its deadline, its end, and its compressed messages.
pub(super) fn receive(
    response: Response<Body>,
    active: Active,
    deadline: Option<&Deadline>,
    token: &CancellationToken,
    ending: DropGuard,
) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let packed = gzip::encoding(&parts.headers) == Encoding::Gzip;
    if packed {
        parts.headers.remove(gzip::ENCODING);
    }
    let most = active.core().args.most_received;
    let receiving = Body::new(Receiving {
        body,
        messages: Messages::new(most, packed, Allowance::new(usize::MAX)),
        given_up: Box::pin(token.clone().cancelled_owned()),
        running: Some((active, ending)),
    });
    let body = match deadline {
        Some(deadline) => Body::new(Outgoing::new(receiving, deadline)),
        None => receiving,
    };
    Response::from_parts(parts, body)
}

/// The body of a request. It ends in an error, which resets the call at the server, once nobody waits for the answer.
struct Sending {
    body: Body,
    packer: Option<Packer>,
    given_up: Pin<Box<WaitForCancellationFutureOwned>>,
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
                let mut status = cancelled("the call was given up");
                // The connection takes the code of its reset from here.
                status.set_source(Arc::new(h2::Error::from(h2::Reason::CANCEL)));
                return Poll::Ready(Some(Err(status)));
            }
            let frame = ready!(Pin::new(&mut sending.body).poll_frame(cx));
            let (Some(Ok(frame)), Some(packer)) = (&frame, &mut sending.packer) else {
                return Poll::Ready(frame);
            };
            let packed = match frame.data_ref() {
                Some(data) => packer.pack(data, || true),
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

/// The body of an answer.
struct Receiving {
    body: Body,
    messages: Messages,
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
                Ok(Some(piece)) => return Poll::Ready(Some(Ok(Frame::data(piece)))),
                Ok(None) => {}
                Err(refusal) => return Poll::Ready(Some(Err(refused(refusal)))),
            }
            if self.given_up.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Some(Err(cancelled("the call was cancelled"))));
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(status)) => return Poll::Ready(Some(Err(core.torn(status)))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.messages.feed(data),
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
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
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.running.is_none() || (self.body.is_end_stream() && self.messages.is_drained())
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
