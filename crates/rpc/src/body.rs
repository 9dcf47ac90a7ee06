//! The two bodies of a call, watched: what comes in keeps to the message limit, what goes out to the deadline.
//!
//! What it leaves to others: decoding. Framing is that of the gRPC protocol over HTTP/2
//! ("Length-Prefixed-Message"): one byte of flags, four bytes of length, the message.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use model::ErrorKind;
use tokio::time::{Instant, Sleep};
use tonic::{Status, body::Body};

use crate::{
    Deadline,
    held::{Allowance, Full, Part},
};

/// A request body that ends in an error where a message is too long or the peer broke off.
///
/// The library underneath takes a stream that was reset for one that ended; a handler that commits at the
/// end of an upload would then commit half of it.
pub(crate) struct Incoming {
    body: Body,
    most: u32,
    head: [u8; 5],
    head_filled: usize,
    message_left: u32,
    allowance: Allowance,
    part: Option<Part>,
}

/// Why a message may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// It is over the limit.
    Long(u32),
    /// Too many large ones are on their way.
    Busy,
}

impl Incoming {
    pub(crate) const fn new(body: Body, most: u32, allowance: Allowance) -> Self {
        Self {
            body,
            most,
            head: [0; 5],
            head_filled: 0,
            message_left: 0,
            allowance,
            part: None,
        }
    }

    /// Follows the messages through `data`.
    fn follow(&mut self, mut data: &[u8]) -> Result<(), Refusal> {
        while let Some((&byte, rest)) = data.split_first() {
            if self.message_left > 0 {
                let step = data
                    .len()
                    .min(usize::try_from(self.message_left).unwrap_or(usize::MAX));
                self.message_left -= u32::try_from(step).unwrap_or(self.message_left);
                if self.message_left == 0 {
                    self.part = None;
                }
                data = &data[step..];
                continue;
            }
            self.head[self.head_filled] = byte;
            self.head_filled += 1;
            data = rest;
            if self.head_filled == self.head.len() {
                let [_flags, a, b, c, d] = self.head;
                let length = u32::from_be_bytes([a, b, c, d]);
                if length > self.most {
                    return Err(Refusal::Long(length));
                }
                self.part = self.allowance.take(length).map_err(|Full| Refusal::Busy)?;
                self.message_left = length;
                self.head_filled = 0;
            }
        }
        Ok(())
    }

    fn refuse(&self, refusal: Refusal) -> Status {
        let text = match refusal {
            Refusal::Long(length) => {
                let most = self.most;
                format!("a request message of {length} bytes is over the limit of {most} bytes")
            }
            Refusal::Busy => {
                "too many large messages are arriving at this moment: send it again later".to_owned()
            }
        };
        wire::status(ErrorKind::Exhausted, text)
    }
}

impl HttpBody for Incoming {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Ok(frame)) => frame,
            Some(Err(status)) => {
                tracing::debug!(%status, "request stream broke off");
                let torn = wire::status(ErrorKind::Unavailable, "the request broke off before its end");
                return Poll::Ready(Some(Err(torn)));
            }
        };
        if let Some(data) = frame.data_ref()
            && let Err(refusal) = self.follow(data)
        {
            return Poll::Ready(Some(Err(self.refuse(refusal))));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response body that ends at the deadline with DEADLINE_EXCEEDED; what it comes from, a handler's stream or
/// a connection's, is dropped then.
pub(crate) struct Outgoing {
    body: Option<Body>,
    until: Pin<Box<Sleep>>,
}

impl Outgoing {
    pub(crate) fn new(body: Body, deadline: &Deadline) -> Self {
        Self {
            body: Some(body),
            until: Box::pin(tokio::time::sleep_until(Instant::from_std(deadline.at()))),
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
            return polled;
        }
        if self.until.as_mut().poll(cx).is_ready() {
            self.body = None;
            return Poll::Ready(Some(Ok(Frame::trailers(expired_trailers()))));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}

/// The answer to a call whose deadline has passed.
pub(crate) fn expired() -> Status {
    wire::status(ErrorKind::Deadline, "the deadline of the call has passed")
}

fn expired_trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if let Err(status) = expired().add_header(&mut trailers) {
        tracing::error!(%status, "a fixed status does not fit into trailers");
    }
    trailers
}

#[cfg(test)]
mod tests {
    use tonic::body::Body;

    use super::{Incoming, Refusal};
    use crate::held::Allowance;

    fn message(length: u32) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(length.to_be_bytes());
        bytes.resize(5 + usize::try_from(length).unwrap(), b'x');
        bytes
    }

    #[test]
    fn messages_are_followed_however_they_are_cut() {
        let bytes = [message(3), message(0), message(10), message(1)].concat();
        for cut in 1..=bytes.len() {
            let mut body = Incoming::new(Body::empty(), 10, Allowance::new(0));
            for piece in bytes.chunks(cut) {
                assert_eq!(body.follow(piece), Ok(()), "cut at {cut}");
            }
            assert_eq!((body.head_filled, body.message_left), (0, 0));
        }
    }

    #[test]
    fn a_message_over_the_limit_is_seen_at_its_head() {
        let bytes = [message(10), message(11)].concat();
        for cut in 1..=bytes.len() {
            let mut body = Incoming::new(Body::empty(), 10, Allowance::new(0));
            let found = bytes.chunks(cut).find_map(|piece| body.follow(piece).err());
            assert_eq!(found, Some(Refusal::Long(11)), "cut at {cut}");
        }
    }
}
