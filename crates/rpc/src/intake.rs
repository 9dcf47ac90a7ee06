//! The body of a request as its connection brings it: one that breaks off is told from one that ends.
//!
//! What it leaves to others: messages and their limits (`body`).

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use model::ErrorKind;
use tonic::{Status, body::Body};

/// Takes a request from its connection.
pub(crate) fn take(request: Request<Incoming>) -> Request<Body> {
    match request.version() {
        Version::HTTP_2 => request.map(|body| Body::new(Taken(body))),
        _ => request.map(Body::new),
    }
}

/// A body over HTTP/2. A peer that resets its stream without an error has not ended it: only END_STREAM does (RFC 9113,
/// section 8.1). The library underneath gives no error for such a reset, because a server may send one to a client.
struct Taken(Incoming);

impl HttpBody for Taken {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Ready(match ready!(Pin::new(&mut self.0).poll_frame(cx)) {
            Some(Ok(frame)) => Some(Ok(frame)),
            Some(Err(error)) => Some(Err(Status::from_error(Box::new(error)))),
            None if self.0.is_end_stream() => None,
            None => {
                let text = "the request was reset before its end";
                Some(Err(wire::status(ErrorKind::Unavailable, text)))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
