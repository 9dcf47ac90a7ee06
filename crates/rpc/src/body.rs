//! The bodies of a call, watched: a request keeps to the limits of messages, an answer on the calling side to its
//! deadline.
//!
//! What it leaves to others: where messages begin and end (`framing`), decoding, and the answering side's own
//! answers (`reply`).

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};
use model::ErrorKind;
use tokio::time::{Instant, Sleep};
use tonic::{Code, Status, body::Body};

use crate::{
    Call, CallLimits, Deadline, alarm,
    framing::{Messages, Refusal},
    unpacker::{Unpacker, Unpacking},
};

/// A request body that ends in an error where a message is too long or too slow, or the peer broke off. Its compressed
/// messages come out unpacked, and the call is told of each.
///
/// The library underneath takes a stream that was reset for one that ended; a handler that commits at the
/// end of an upload would then commit half of it.
pub(crate) struct Incoming {
    body: Body,
    messages: Messages,
    most: u32,
    patience: Duration,
    /// The end of the time for the message that has begun to come; nothing while none is waited for.
    until: Option<Pin<Box<Sleep>>>,
    unpacker: Unpacker,
    /// The message that is being unpacked.
    unpacking: Option<Unpacking>,
    call: Call,
}

impl Incoming {
    pub(crate) const fn new(
        body: Body,
        limits: &CallLimits,
        messages: Messages,
        unpacker: Unpacker,
        call: Call,
    ) -> Self {
        Self {
            body,
            messages: messages.unpacked_beside(),
            unpacker,
            unpacking: None,
            most: limits.message_bytes,
            patience: limits.message_time,
            until: None,
            call,
        }
    }

    /// Waits for more of a message, as long as one may take.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        if !self.messages.is_inside() {
            return Poll::Pending;
        }
        let until = self
            .until
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(self.patience)));
        ready!(alarm::poll(until.as_mut(), cx));
        let secs = self.patience.as_secs();
        let text =
            format!("a request message was not whole after {secs} s: send it again, or in smaller parts");
        Poll::Ready(wire::status(ErrorKind::Unavailable, text))
    }

    /// The next piece of a message, as far as the bytes that are there go.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Refusal>> {
        if self.unpacking.is_none() {
            if let Some(piece) = self.messages.next()? {
                return Poll::Ready(Ok(Some(piece)));
            }
            let Some(packed) = self.messages.take_large() else {
                return Poll::Ready(Ok(None));
            };
            let unpacking = self.unpacker.begin(packed, self.most).ok_or(Refusal::Busy)?;
            self.unpacking = Some(unpacking);
        }
        let Some(unpacking) = &mut self.unpacking else {
            return Poll::Ready(Ok(None));
        };
        let unpacked = ready!(Pin::new(unpacking).poll(cx));
        self.unpacking = None;
        // Its thread is gone only where the system gave none.
        Poll::Ready(match unpacked {
            Ok(Ok(message)) => Ok(Some(message)),
            Ok(Err(fault)) => Err(fault.into()),
            Err(_gone) => Err(Refusal::Busy),
        })
    }

    fn refuse(&self, refusal: Refusal) -> Status {
        let most = self.most;
        match refusal {
            Refusal::Long(length) => wire::status(
                ErrorKind::Exhausted,
                format!("a request message of {length} bytes is over the limit of {most} bytes"),
            ),
            Refusal::LongUnpacked => wire::status(
                ErrorKind::Exhausted,
                format!("a compressed request message is over the limit of {most} bytes"),
            ),
            Refusal::Busy => wire::status(
                ErrorKind::Exhausted,
                "too many large messages are arriving at this moment: send it again later",
            ),
            Refusal::Malformed => wire::status(
                ErrorKind::Invalid,
                "a request message is marked as compressed and is not gzip",
            ),
        }
    }
}

impl HttpBody for Incoming {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            match ready!(self.poll_piece(cx)) {
                Ok(Some(piece)) => {
                    self.call.note_compressed(self.messages.was_compressed());
                    if !self.messages.is_inside() {
                        self.until = None;
                    }
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Ok(None) => {}
                Err(refusal) => return Poll::Ready(Some(Err(self.refuse(refusal)))),
            }
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                return self.poll_late(cx).map(|status| Some(Err(status)));
            };
            let frame = match frame {
                None if self.messages.is_inside() => return Poll::Ready(Some(Err(torn_inside()))),
                None => return Poll::Ready(None),
                Some(Ok(frame)) => frame,
                Some(Err(status)) => {
                    tracing::debug!(%status, "request stream broke off");
                    let torn = wire::status(ErrorKind::Unavailable, "the request broke off before its end");
                    return Poll::Ready(Some(Err(torn)));
                }
            };
            match frame.into_data() {
                Ok(data) => self.messages.feed(data),
                // The library takes trailers for the end, whatever is half there.
                Err(_trailers) if self.messages.is_inside() => return Poll::Ready(Some(Err(torn_inside()))),
                Err(other) => return Poll::Ready(Some(Ok(other))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && self.messages.is_drained() && self.unpacking.is_none()
    }
}

fn torn_inside() -> Status {
    wire::status(ErrorKind::Internal, "the request ended inside a message")
}

/// A response body that ends at the deadline with DEADLINE_EXCEEDED; what it comes from, a connection's stream,
/// is dropped then.
pub(crate) struct Outgoing {
    body: Option<Body>,
    until: Pin<Box<Sleep>>,
    deadline: Deadline,
}

impl Outgoing {
    pub(crate) fn new(body: Body, deadline: &Deadline) -> Self {
        Self {
            body: Some(body),
            until: Box::pin(tokio::time::sleep_until(Instant::from_std(deadline.at()))),
            deadline: deadline.clone(),
        }
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(cx);
        let trailers = matches!(&polled, Poll::Ready(Some(Ok(frame))) if frame.is_trailers());
        if trailers || matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
            return polled.map_err(|status| ended_by(status, Some(&self.deadline)));
        }
        if alarm::poll(self.until.as_mut(), cx).is_ready() {
            self.body = None;
            return Poll::Ready(Some(Ok(Frame::trailers(expired_trailers()))));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}

/// What a call that ended with `status` says. A server that resets it at the deadline says nothing but that it is
/// cancelled, and may be ahead of our own timer, which counts in milliseconds.
pub(crate) fn ended_by(status: Status, deadline: Option<&Deadline>) -> Status {
    match deadline {
        Some(deadline) if status.code() == Code::Cancelled && deadline.is_expired() => expired(),
        Some(_) | None => status,
    }
}

/// The answer to a call whose deadline has passed.
pub(crate) fn expired() -> Status {
    wire::status(ErrorKind::Deadline, "the deadline of the call has passed")
}

pub(crate) fn expired_trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if let Err(status) = expired().add_header(&mut trailers) {
        tracing::error!(%status, "a fixed status does not fit into trailers");
    }
    trailers
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use tasks::Clock;
    use tonic::{Code, Status};

    use super::ended_by;
    use crate::Deadline;

    fn within(timeout: &'static str) -> Deadline {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("grpc-timeout"),
            HeaderValue::from_static(timeout),
        )]);
        Deadline::of(&headers, &Clock::system()).unwrap().unwrap()
    }

    #[test]
    fn a_server_that_resets_a_call_at_its_deadline_says_deadline_exceeded() {
        for (code, deadline, wanted) in [
            (Code::Cancelled, Some(within("0n")), Code::DeadlineExceeded),
            (Code::Cancelled, Some(within("1H")), Code::Cancelled),
            (Code::Cancelled, None, Code::Cancelled),
            (Code::Unavailable, Some(within("0n")), Code::Unavailable),
        ] {
            let status = ended_by(Status::new(code, "as it came"), deadline.as_ref());
            assert_eq!(status.code(), wanted);
        }
    }
}
