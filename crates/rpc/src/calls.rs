//! A set of gRPC services behind the rules that hold for every call.
//!
//! What it leaves to others: which services there are, and who may call them. Steps, in order: method and
//! content type, path grammar, deadline, message limit, handler; a panic in a handler is answered INTERNAL.

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll},
};

use futures::FutureExt as _;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use model::ErrorKind;
use tasks::Clock;
use tonic::{body::Body, service::Routes};
use tower::Service;
use tracing::Instrument as _;

use crate::{
    CallLimits, Deadline, RequestId,
    body::{Incoming, Outgoing, expired},
    held::Allowance,
    path,
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
        }
    }

    /// Checks what can be known from the head of a request.
    fn check(&self, request: &Request<Body>) -> Result<Option<Deadline>, Box<Response<Body>>> {
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
        let deadline = Deadline::of(request.headers(), &self.clock);
        deadline.map_err(|fault| refusal(ErrorKind::Invalid, fault))
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

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

impl Service<Request<Body>> for Calls {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let id = RequestId::fresh();
        request.extensions_mut().insert(id.clone());
        // A path is the caller's to choose and may be long.
        let path = request.uri().path();
        let method = path.get(..LOGGED).unwrap_or(path);
        let span = tracing::info_span!("call", request_id = id.as_str(), method);
        let answered = self.call_checked(request).instrument(span);
        Box::pin(answered.map(move |response| {
            let mut response = response?;
            id.tell(response.headers_mut());
            Ok(response)
        }))
    }
}

impl Calls {
    fn call_checked(&self, request: Request<Body>) -> <Self as Service<Request<Body>>>::Future {
        let deadline = match self.check(&request) {
            Ok(deadline) => deadline,
            Err(refusal) => return Box::pin(std::future::ready(Ok(*refusal))),
        };
        let most = self.limits.message_bytes;
        let allowance = self.allowance.clone();
        let mut request = request.map(|body| Body::new(Incoming::new(body, most, allowance)));
        let mut routes = self.routes.clone();
        Box::pin(async move {
            let Some(deadline) = deadline else {
                return Ok(answer(&mut routes, request).await);
            };
            request.extensions_mut().insert(deadline.clone());
            let until = tokio::time::Instant::from_std(deadline.at());
            match tokio::time::timeout_at(until, answer(&mut routes, request)).await {
                Ok(response) => Ok(response.map(|body| Body::new(Outgoing::new(body, &deadline)))),
                Err(_elapsed) => Ok(expired().into_http()),
            }
        })
    }
}

async fn answer(routes: &mut Routes, request: Request<Body>) -> Response<Body> {
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
