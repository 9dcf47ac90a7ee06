//! A set of gRPC services behind the rules that hold for every call.
//!
//! What it leaves to others: which services there are, and who may call them. Steps, in order: method and
//! content type, path grammar, deadline, compression, message limit, handler, trailers; a panic in a handler is
//! answered INTERNAL.

use std::{
    convert::Infallible,
    fmt,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures::FutureExt as _;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use model::ErrorKind;
use tasks::Clock;
use tonic::{body::Body, metadata::MetadataMap, service::Routes};
use tower::Service;

use crate::{
    Call, CallLimits, Deadline, RequestId,
    body::Incoming,
    framing::Messages,
    gzip::{self, Encoding},
    held::Allowance,
    path,
    reply::Running,
};

/// The most bytes of a call's path in log lines.
const LOGGED: usize = 128;

/// gRPC services with deadline, limits and path rules around them; given to [`crate::serve()`] or to `gateway`.
#[derive(Debug, Clone)]
pub struct Calls {
    routes: Routes,
    limits: CallLimits,
    allowance: Allowance,
    clock: Clock,
    greeting: Option<Greeting>,
}

/// Says what is sent before a call's first message is read.
#[derive(Clone)]
struct Greeting(Arc<Greet>);

type Greet = dyn Fn(&Call, &MetadataMap) -> Option<MetadataMap> + Send + Sync;

impl fmt::Debug for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Greeting")
    }
}

/// What the head of a request says.
struct Head {
    deadline: Option<Deadline>,
    packed: bool,
}

impl Calls {
    /// Puts the rules around `routes`.
    #[must_use]
    pub fn new(routes: Routes, limits: CallLimits) -> Self {
        Self {
            routes: routes.prepare(),
            allowance: Allowance::new(limits.arriving_bytes),
            limits,
            clock: Clock::system(),
            greeting: None,
        }
    }

    /// Sends initial metadata at the head of a call, before any message of the request is waited for.
    ///
    /// `greeting` sees the call and the caller's metadata. Where it gives metadata, that is sent at once, and
    /// metadata that the handler's response carries is not sent any more.
    #[must_use]
    pub fn with_greeting(
        mut self,
        greeting: impl Fn(&Call, &MetadataMap) -> Option<MetadataMap> + Send + Sync + 'static,
    ) -> Self {
        self.greeting = Some(Greeting(Arc::new(greeting)));
        self
    }

    /// Checks what can be known from the head of a request.
    fn check(&self, request: &Request<Body>) -> Result<Head, Box<Response<Body>>> {
        if request.method() != Method::POST {
            return Err(Box::new(plain(StatusCode::METHOD_NOT_ALLOWED)));
        }
        if !is_grpc(request.headers()) {
            return Err(Box::new(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE)));
        }
        let asked = request.uri().path_and_query().map_or("", |asked| asked.as_str());
        if !path::names_a_method(asked) {
            return Err(refusal(ErrorKind::Unimplemented, "the path names no method"));
        }
        let packed = match gzip::encoding(request.headers()) {
            Encoding::Identity => false,
            Encoding::Gzip => true,
            Encoding::Other => return Err(unknown_encoding()),
        };
        let deadline = Deadline::of(request.headers(), &self.clock);
        let deadline = deadline.map_err(|fault| refusal(ErrorKind::Invalid, fault))?;
        Ok(Head { deadline, packed })
    }
}

/// Tells whether the headers announce gRPC messages (and not gRPC-Web).
fn is_grpc(headers: &HeaderMap) -> bool {
    let announced = headers.get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    let rest = announced.and_then(|bytes| bytes.strip_prefix(b"application/grpc"));
    matches!(rest, Some([] | [b'+' | b';', ..]))
}

fn refusal(kind: ErrorKind, text: &str) -> Box<Response<Body>> {
    Box::new(wire::status(kind, text).into_http())
}

fn unknown_encoding() -> Box<Response<Body>> {
    let mut response = refusal(
        ErrorKind::Unimplemented,
        "grpc-encoding names a compression that is not gzip",
    );
    response.headers_mut().insert(gzip::ACCEPT, gzip::UNDERSTOOD);
    response
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

impl Service<Request<Body>> for Calls {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Answering {
        let id = RequestId::fresh();
        request.extensions_mut().insert(id.clone());
        // A path is the caller's to choose and may be long.
        let path = request.uri().path();
        let method = path.get(..LOGGED).unwrap_or(path);
        let span = tracing::info_span!("call", request_id = id.as_str(), method);
        let step = match self.check(&request) {
            Ok(head) => Step::Running(span.in_scope(|| self.begin(request, head))),
            Err(refusal) => Step::Refused(refusal),
        };
        let step = Some(step);
        Answering { step, id, span }
    }
}

impl Calls {
    fn begin(&self, mut request: Request<Body>, head: Head) -> Running {
        let call = Call::new(request.uri().path_and_query().cloned(), head.deadline.clone());
        if let Some(Greeting(greeting)) = &self.greeting {
            let metadata = MetadataMap::from_headers(request.headers().clone());
            if let Some(early) = greeting(&call, &metadata) {
                call.send_initial_metadata(early);
            }
        }
        let gzip = gzip::is_accepted(request.headers());
        // Messages come out unpacked.
        request.headers_mut().remove(gzip::ENCODING);
        request.extensions_mut().insert(call.clone());
        if let Some(deadline) = head.deadline {
            request.extensions_mut().insert(deadline);
        }
        let most = self.limits.message_bytes;
        let messages = Messages::new(most, head.packed, self.allowance.clone());
        let watching = call.clone();
        let request = request.map(|body| Body::new(Incoming::new(body, most, messages, watching)));
        let routes = self.routes.clone();
        Running::new(Box::pin(answer(routes, request)), call, gzip)
    }
}

/// The answer to a call, on its way.
pub struct Answering {
    step: Option<Step>,
    id: RequestId,
    span: tracing::Span,
}

enum Step {
    Refused(Box<Response<Body>>),
    Running(Running),
}

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answering = &mut *self;
        let _entered = answering.span.enter();
        let begun = match &mut answering.step {
            Some(Step::Running(running)) => Some(ready!(running.poll_begun(cx))),
            Some(Step::Refused(_)) | None => None,
        };
        let mut response = match (answering.step.take(), begun) {
            (Some(Step::Running(running)), Some(begun)) => running.respond(begun),
            (Some(Step::Refused(response)), _) => *response,
            (Some(Step::Running(_)) | None, _) => return Poll::Pending,
        };
        answering.id.tell(response.headers_mut());
        Poll::Ready(Ok(response))
    }
}

async fn answer(mut routes: Routes, request: Request<Body>) -> Response<Body> {
    let answered = AssertUnwindSafe(async { routes.call(request).await }).catch_unwind();
    match answered.await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_panic) => {
            tracing::error!("a handler panicked");
            wire::status(ErrorKind::Internal, "").into_http()
        }
    }
}
