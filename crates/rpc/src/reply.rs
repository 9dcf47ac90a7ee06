//! The answer to one call on its way: the handler, then its messages, then its status and trailers.
//!
//! What it leaves to others: which handler (`calls`), and what a handler may say ([`crate::Call`]). A deadline
//! ends it wherever it is; so does a caller who leaves, because then all of this is dropped.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response, header};
use http_body::{Body as HttpBody, Frame};
use model::ErrorKind;
use tonic::{Status, body::Body};

use crate::{
    Call, End,
    alarm::Alarm,
    body::{expired, expired_trailers},
    call::{Watched, extend},
    form::Form,
    gzip,
    overdue::{self, Overdue, Time},
    packer::Packer,
};

/// A handler at work.
pub(crate) type Handler = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// Where a status stands: in trailers, or in the headers of an answer that has nothing else.
const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// A call whose answer has not begun.
pub(crate) struct Running {
    handler: Handler,
    watched: Watched,
    until: Option<Alarm>,
    gzip: bool,
    form: Form,
}

impl Running {
    /// Begins with a handler that answers in a form; `gzip` says that the caller understands it.
    pub(crate) fn new(handler: Handler, watched: Watched, gzip: bool, form: Form) -> Self {
        let until = watched.0.deadline().map(Alarm::new);
        Self {
            handler,
            watched,
            until,
            gzip,
            form,
        }
    }

    /// Works on until there are headers to send.
    pub(crate) fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<Begun> {
        let call = &self.watched.0;
        call.watch(cx.waker());
        if let Poll::Ready(response) = call.scope(|| self.handler.as_mut().poll(cx)) {
            return Poll::Ready(Begun::Answer(response));
        }
        if let Some(early) = call.take_early() {
            return Poll::Ready(Begun::Early(early));
        }
        if let Some(until) = &mut self.until
            && until.poll(cx).is_ready()
        {
            self.watched.finish(End::DeadlinePassed);
            return Poll::Ready(Begun::Expired);
        }
        Poll::Pending
    }

    /// The response whose headers are known now.
    pub(crate) fn respond(self, begun: Begun) -> Response<Body> {
        match begun {
            Begun::Answer(response) => self.answer(response),
            Begun::Early(headers) => {
                let (mut parts, ()) = Response::new(()).into_parts();
                parts.headers = headers;
                parts
                    .headers
                    .insert(header::CONTENT_TYPE, self.form.content_type());
                let packer = announced(&self.watched.0, self.gzip, &mut parts.headers);
                let reply = Reply::new(Source::Handler(self.handler), self.watched, self.until, packer);
                Response::from_parts(parts, Body::new(reply))
            }
            Begun::Expired => {
                let mut response = expired().into_http();
                extend(response.headers_mut(), &self.watched.0.take_trailers());
                response
            }
        }
    }

    fn answer(self, response: Response<Body>) -> Response<Body> {
        let Self {
            watched, until, gzip, ..
        } = self;
        let call = &watched.0;
        let (mut parts, body) = response.into_parts();
        if let Some(headers) = call.take_headers() {
            extend(&mut parts.headers, &headers);
        }
        if parts.headers.contains_key(STATUS) || body.is_end_stream() {
            extend(&mut parts.headers, &call.take_trailers());
            watched.finish(End::Answered);
            return Response::from_parts(parts, body);
        }
        let packer = announced(call, gzip, &mut parts.headers);
        let reply = Reply::new(Source::Body(body), watched, until, packer);
        Response::from_parts(parts, Body::new(reply))
    }
}

/// What the headers of an answer come from.
pub(crate) enum Begun {
    /// The handler has answered.
    Answer(Response<Body>),
    /// The handler wants these sent and works on.
    Early(HeaderMap),
    /// Nobody waits any more.
    Expired,
}

/// Where the next frame of an answer comes from.
enum Source {
    Handler(Handler),
    Body(Body),
    /// The deadline has passed; the caller has still to be told.
    Late,
    Ended,
}

/// The body of an answer.
struct Reply {
    work: Arc<Mutex<Work>>,
    packer: Option<Packer>,
}

/// The part of an answer that ends at its deadline also while nobody asks for more.
struct Work {
    source: Source,
    watched: Watched,
    until: Option<Alarm>,
}

impl Reply {
    fn new(source: Source, watched: Watched, until: Option<Alarm>, packer: Option<Packer>) -> Self {
        let has_deadline = until.is_some();
        let work = Arc::new(Mutex::new(Work {
            source,
            watched,
            until,
        }));
        if has_deadline {
            overdue::look_after(Arc::<Mutex<Work>>::clone(&work));
        }
        Self { work, packer }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        locked(&self.work).leave();
    }
}

fn locked(work: &Mutex<Work>) -> MutexGuard<'_, Work> {
    work.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Overdue for Mutex<Work> {
    fn poll_time(&self, cx: &mut Context<'_>) -> Time {
        let mut work = locked(self);
        match work.source {
            Source::Ended => return Time::Ended,
            Source::Late => return Time::Over,
            Source::Handler(_) | Source::Body(_) => {}
        }
        let over = work.until.as_mut().is_some_and(|until| until.poll(cx).is_ready());
        if !over {
            return Time::Left;
        }
        work.source = Source::Late;
        work.watched.finish(End::DeadlinePassed);
        Time::Over
    }
}

impl Work {
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let call = &self.watched.0;
        loop {
            match &mut self.source {
                Source::Ended => return Poll::Ready(None),
                Source::Late => return Poll::Ready(Some(Ok(self.late()))),
                Source::Handler(handler) => {
                    let Poll::Ready(response) = call.scope(|| handler.as_mut().poll(cx)) else {
                        return Poll::Pending;
                    };
                    let (mut parts, body) = response.into_parts();
                    if parts.headers.contains_key(STATUS) {
                        parts.headers.remove(header::CONTENT_TYPE);
                        return Poll::Ready(Some(Ok(Frame::trailers(parts.headers))));
                    }
                    self.source = Source::Body(body);
                }
                Source::Body(body) => {
                    let frame = || call.scope(|| Pin::new(body).poll_frame(cx));
                    return catch_unwind(AssertUnwindSafe(frame)).unwrap_or_else(|_panic| failed());
                }
            }
        }
    }

    /// The next frame: a message, the trailers or nothing more.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = match self.poll_source(cx) {
            Poll::Ready(None) => {
                self.source = Source::Ended;
                self.watched.finish(End::Answered);
                return Poll::Ready(None);
            }
            Poll::Ready(Some(Err(status))) => {
                self.source = Source::Ended;
                return Poll::Ready(Some(Err(status)));
            }
            Poll::Ready(Some(Ok(frame))) => Some(frame),
            Poll::Pending => None,
        };
        let frame = match frame.map(Frame::into_trailers) {
            Some(Ok(trailers)) => return Poll::Ready(Some(Ok(self.last(trailers, End::Answered)))),
            Some(Err(frame)) => Some(frame),
            None => None,
        };
        // Asked for each message too: a stream that never pauses has a deadline as well.
        let over = match &mut self.until {
            Some(until) if frame.is_some() => until.has_rung(),
            Some(until) => until.poll(cx).is_ready(),
            None => false,
        };
        if over {
            return Poll::Ready(Some(Ok(self.late())));
        }
        match frame {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Poll::Pending,
        }
    }

    /// The last frame of a call whose deadline has passed.
    fn late(&mut self) -> Frame<Bytes> {
        self.last(expired_trailers(), End::DeadlinePassed)
    }

    /// The last frame.
    fn last(&mut self, mut trailers: HeaderMap, end: End) -> Frame<Bytes> {
        extend(&mut trailers, &self.watched.0.take_trailers());
        self.source = Source::Ended;
        self.watched.finish(end);
        Frame::trailers(trailers)
    }

    /// Nobody takes anything any more.
    fn leave(&mut self) {
        self.source = Source::Ended;
        self.watched.leave();
    }
}

impl HttpBody for Reply {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Self { work, packer } = &mut *self;
        let mut work = locked(work);
        loop {
            let next = ready!(work.poll_frame(cx));
            let (Some(packer), Some(Ok(frame))) = (packer.as_mut(), &next) else {
                return Poll::Ready(next);
            };
            let Some(data) = frame.data_ref() else {
                return Poll::Ready(next);
            };
            let packed = packer.pack(data, || work.watched.0.compress_this());
            if !packed.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(packed))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(locked(&self.work).source, Source::Ended)
    }
}

/// The last frame of a stream of answers that panicked.
fn failed() -> Poll<Option<Result<Frame<Bytes>, Status>>> {
    tracing::error!("a handler panicked in its stream of answers");
    let mut trailers = HeaderMap::new();
    let told = wire::status(ErrorKind::Internal, "").add_header(&mut trailers);
    Poll::Ready(Some(told.map(|()| Frame::trailers(trailers))))
}

/// A packer, and the header that announces it, where the handler asks for it and the caller understands.
fn announced(call: &Call, gzip: bool, headers: &mut HeaderMap) -> Option<Packer> {
    let wanted = gzip && call.compresses();
    wanted.then(|| {
        headers.insert(gzip::ENCODING, gzip::GZIP);
        Packer::default()
    })
}
