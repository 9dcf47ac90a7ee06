//! The answer to a call over a link, as its caller reads it.
//!
//! What it leaves to others: the call itself (`inward`), and the deadline (`body`).

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};
use tonic::{Status, body::Body};

use super::inward::broke;
use crate::{Deadline, body::Outgoing, channel::cancelled, details};

/// The body of an answer. Its call ends with it, also at the other side.
pub(super) struct Answer {
    body: Body,
    given_up: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Nothing once it has ended.
    ending: Option<DropGuard>,
}

impl Answer {
    /// Watches an answer, to its deadline and its end. `token` is what `ending` cancels.
    pub(super) fn watch(
        response: Response<Body>,
        (token, ending): (&CancellationToken, DropGuard),
        deadline: Option<&Deadline>,
    ) -> Response<Body> {
        let (mut parts, body) = response.into_parts();
        details::check(&mut parts.headers);
        let body = Body::new(Self {
            body,
            given_up: Box::pin(token.clone().cancelled_owned()),
            ending: Some(ending),
        });
        let body = match deadline {
            Some(deadline) => Body::new(Outgoing::new(body, deadline)),
            None => body,
        };
        Response::from_parts(parts, body)
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ending.is_none() {
            return Poll::Ready(None);
        }
        let frame = if self.given_up.as_mut().poll(cx).is_ready() {
            Some(Err(cancelled("the call was cancelled")))
        } else {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => Some(Ok(details::checked(frame))),
                Some(Err(status)) => {
                    tracing::debug!(%status, "an answer over a link broke off");
                    Some(Err(broke()))
                }
                None => None,
            }
        };
        if !matches!(&frame, Some(Ok(frame)) if frame.is_data()) {
            self.ending = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ending.is_none() || self.body.is_end_stream()
    }
}
