//! The service behind the listener: the rules for every request, then the way to a call or a page.
//!
//! What it leaves to others: which hosts are ours (`hosts`), what a page looks like (`page`), and every rule
//! about a call ([`rpc::Calls`]).

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use rpc::Calls;
use tonic::body::Body;
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower_layer::Layer as _;
use tower_service::Service;

use crate::{
    hosts::{Fault, Hosts, same_origin},
    page::{Page, head_only, line},
};

/// Answers every request that comes to the front door.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    hosts: Arc<Hosts>,
    page: Page,
    calls: Calls,
    web_calls: GrpcWebService<Calls>,
}

/// What a request wants to be by its content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Grpc,
    GrpcWeb,
    Page,
}

/// An answer on its way.
pub(crate) enum Answer {
    /// That of a call.
    Call(<Calls as Service<Request<Body>>>::Future),
    /// That of a call in gRPC-Web.
    Web(Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>),
    /// One that was made here.
    Own(Ready<Result<Response<Body>, Infallible>>),
}

impl Answer {
    fn own(response: Response<Body>) -> Self {
        Self::Own(ready(Ok(response)))
    }
}

impl Future for Answer {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Answer::Call(call) => Pin::new(call).poll(cx),
            Answer::Web(call) => call.as_mut().poll(cx),
            Answer::Own(own) => Pin::new(own).poll(cx),
        }
    }
}

impl Gate {
    pub(crate) fn new(hosts: Hosts, calls: Calls) -> Self {
        Self {
            page: Page::new(hosts.first()),
            hosts: Arc::new(hosts),
            web_calls: GrpcWebLayer::new().layer(calls.clone()),
            calls,
        }
    }

    /// The refusal that a request earns by where it wants to go or comes from.
    fn refuse(&self, request: &Request<Body>) -> Option<Response<Body>> {
        if self.hosts.plainly_ours(request) {
            return None;
        }
        let asked = match self.hosts.check(request) {
            Ok(asked) => asked,
            Err(Fault::Missing) => {
                return Some(line(StatusCode::BAD_REQUEST, "The request names no host.\n"));
            }
            Err(Fault::Malformed) => {
                return Some(line(
                    StatusCode::BAD_REQUEST,
                    "The request's host is malformed.\n",
                ));
            }
            Err(Fault::NotOurs) => {
                return Some(line(
                    StatusCode::MISDIRECTED_REQUEST,
                    "This host is not served here.\n",
                ));
            }
        };
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if !reads && !same_origin(request.headers(), &asked) {
            return Some(line(
                StatusCode::FORBIDDEN,
                "Pages of other sites may not call this one.\n",
            ));
        }
        None
    }

    fn page(&self, request: &Request<Body>) -> Response<Body> {
        let response = match request.uri().path() {
            "/" => self.page.answer(),
            "/healthz" => line(StatusCode::OK, "ok\n"),
            _ => line(StatusCode::NOT_FOUND, "There is nothing here.\n"),
        };
        match *request.method() {
            Method::GET => response,
            Method::HEAD => head_only(response),
            _ if response.status() == StatusCode::NOT_FOUND => response,
            _ => {
                let mut response = line(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD work here.\n");
                let headers = response.headers_mut();
                headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
        }
    }
}

impl Form {
    fn of(headers: &HeaderMap) -> Self {
        let kind = headers
            .get(header::CONTENT_TYPE)
            .map_or(&b""[..], HeaderValue::as_bytes);
        if kind.starts_with(b"application/grpc-web") {
            Form::GrpcWeb
        } else if kind.starts_with(b"application/grpc") {
            Form::Grpc
        } else {
            Form::Page
        }
    }
}

impl Service<Request<Body>> for Gate {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        if let Some(refusal) = self.refuse(&request) {
            return Answer::own(refusal);
        }
        match Form::of(request.headers()) {
            Form::Grpc if request.version() == Version::HTTP_2 => Answer::Call(self.calls.call(request)),
            Form::Grpc => {
                let text = "gRPC needs HTTP/2; over HTTP/1.1 there is gRPC-Web.\n";
                Answer::own(line(StatusCode::BAD_REQUEST, text))
            }
            Form::GrpcWeb => Answer::Web(Box::pin(self.web_calls.call(request))),
            Form::Page => Answer::own(self.page(&request)),
        }
    }
}
