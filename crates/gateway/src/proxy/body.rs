//! The two bodies of a proxied request: what is sent on, and what comes back.
//!
//! What it leaves to others: the bytes; they pass as they come, and only as fast as the other side takes them.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::body::Body;

use super::{turns::Turn, upstream::Lease};

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Ends a wait that has lasted too long. Time counts only while somebody waits.
struct Silence {
    most: Duration,
    until: Pin<Box<Sleep>>,
    waiting: bool,
}

impl Silence {
    fn new(most: Duration) -> Self {
        Self {
            most,
            until: Box::pin(sleep(most)),
            waiting: false,
        }
    }

    /// Passes on what a body says, or that it has been silent for too long.
    fn over<T>(&mut self, polled: Poll<T>, cx: &mut Context<'_>) -> Poll<Result<T, io::Error>> {
        match polled {
            Poll::Ready(said) => {
                self.waiting = false;
                Poll::Ready(Ok(said))
            }
            Poll::Pending => {
                if !self.waiting {
                    self.waiting = true;
                    self.until.as_mut().reset(Instant::now() + self.most);
                }
                ready!(self.until.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

/// A request's body on its way to a service; its trailers stay behind.
pub(super) struct Sending {
    body: Body,
    silence: Silence,
    _sent: DropGuard,
}

impl Sending {
    /// The second tells when the body was sent whole, or nobody wants more of it.
    pub(super) fn new(body: Body, most_silence: Duration) -> (Self, CancellationToken) {
        let sent = CancellationToken::new();
        let sending = Self {
            body,
            silence: Silence::new(most_silence),
            _sent: sent.clone().drop_guard(),
        };
        (sending, sent)
    }
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        match ready!(this.silence.over(polled, cx)) {
            Ok(Some(Ok(frame))) if frame.is_data() => Poll::Ready(Some(Ok(frame))),
            Ok(Some(Ok(_)) | None) => Poll::Ready(None),
            Ok(Some(Err(broken))) => Poll::Ready(Some(Err(broken.into()))),
            Err(silent) => Poll::Ready(Some(Err(silent.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body on its way to the client. Dropped before its end, it ends the connection that it comes over.
pub(super) struct Carried {
    body: Incoming,
    lease: Option<Lease>,
    silence: Silence,
    asked: Arc<AtomicU64>,
    _turn: Turn,
    _over: DropGuard,
}

/// What ends an answer before its own end.
pub(super) struct Watch {
    over: CancellationToken,
    cut: CancellationToken,
    asked: Arc<AtomicU64>,
    most: Duration,
}

impl Watch {
    /// Cuts the answer when the right ends, and when nobody has asked for more of it for too long: the client does not
    /// read, and says nothing either.
    pub(super) async fn keep(self, until: BoxFuture<'static, ()>) {
        tokio::select! {
            biased;
            () = self.over.cancelled() => {}
            () = until => self.cut.cancel(),
            () = self.stalled() => self.cut.cancel(),
        }
    }

    async fn stalled(&self) {
        let mut before = self.asked.load(Ordering::Relaxed);
        loop {
            sleep(self.most).await;
            let now = self.asked.load(Ordering::Relaxed);
            if now == before {
                return;
            }
            before = now;
        }
    }
}

impl Carried {
    /// The second watches over it.
    pub(super) fn new(body: Incoming, lease: Lease, turn: Turn, most_silence: Duration) -> (Self, Watch) {
        let (over, asked) = (CancellationToken::new(), Arc::<AtomicU64>::default());
        let watch = Watch {
            over: over.clone(),
            cut: lease.cut(),
            asked: Arc::clone(&asked),
            most: most_silence,
        };
        let carried = Self {
            body,
            lease: Some(lease),
            silence: Silence::new(most_silence),
            asked,
            _turn: turn,
            _over: over.drop_guard(),
        };
        (carried, watch)
    }

    /// The whole answer was read.
    fn ended(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        // Where the length is known, nobody asks for the end.
        if self.body.is_end_stream() {
            self.ended();
        }
    }
}

impl HttpBody for Carried {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = &mut *self;
        this.asked.fetch_add(1, Ordering::Relaxed);
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        match ready!(this.silence.over(polled, cx)) {
            Ok(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
            Ok(Some(Err(broken))) => {
                this.lease = None;
                Poll::Ready(Some(Err(broken.into())))
            }
            // A connection that was cut has no end of its own.
            Ok(None)
                if this
                    .lease
                    .as_ref()
                    .is_some_and(|lease| lease.cut().is_cancelled()) =>
            {
                this.lease = None;
                Poll::Ready(Some(
                    Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()),
                ))
            }
            Ok(None) => {
                this.ended();
                Poll::Ready(None)
            }
            Err(silent) => {
                this.lease = None;
                Poll::Ready(Some(Err(silent.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
