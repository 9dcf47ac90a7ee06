//! A listener's service: from an HTTP request to a call and back.
//!
//! What it leaves to others: the services' methods, and the bytes of a call (`krpc`).

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use access::{Access, Peer};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use rpc::{PeerInfo, RequestId};
use tasks::Clock;
use tokio::sync::Semaphore;
use tonic::body::Body;
use tower_service::Service;

use crate::{
    answer,
    hosts::{Fault, Hosts},
    system_config, verify_hub,
};

/// The most bytes of a request's body.
const MOST_BODY: usize = 1024 * 1024;
/// How many bodies are read at once; the next ones wait.
const BODIES_AT_ONCE: usize = 128;

/// Which services a listener has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// `system_config` alone, at its one path.
    SystemConfig,
    /// Every service, at `/kapi/<service>` and below.
    NodeGateway,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Called {
    SystemConfig,
    VerifyHub,
}

impl Route {
    fn find(self, path: &str) -> Option<Called> {
        let rest = path.strip_prefix("/kapi/")?;
        let (service, below) = rest.split_once('/').unwrap_or((rest, ""));
        match (self, service) {
            (Route::SystemConfig, "system_config") if below.is_empty() => Some(Called::SystemConfig),
            (Route::NodeGateway, "system_config") => Some(Called::SystemConfig),
            (Route::NodeGateway, "verify-hub") => Some(Called::VerifyHub),
            _ => None,
        }
    }
}

/// What the listeners share.
pub(crate) struct Shared {
    pub(crate) access: Access,
    pub(crate) tree: tree::Handle,
    pub(crate) clock: Clock,
    hosts: Hosts,
    body_wait: Duration,
    bodies: Semaphore,
}

impl Shared {
    pub(crate) fn new(
        access: Access,
        tree: tree::Handle,
        clock: Clock,
        hosts: Hosts,
        body_wait: Duration,
    ) -> Self {
        Self {
            access,
            tree,
            clock,
            hosts,
            body_wait,
            bodies: Semaphore::new(BODIES_AT_ONCE),
        }
    }

    async fn answer(&self, route: Route, request: Request<Body>) -> Response<Body> {
        let Some(info) = PeerInfo::of(request.extensions()).cloned() else {
            return answer::text(StatusCode::BAD_REQUEST, "The source address is missing.");
        };
        match self.hosts.check(&request, &info) {
            Ok(()) => {}
            Err(Fault::Malformed) => {
                return answer::text(
                    StatusCode::BAD_REQUEST,
                    "The request names no host, or no sound one.",
                );
            }
            Err(Fault::NotOurs) => return answer::no_route(),
        }
        // A browser says so where a page of another site makes it send this.
        let site = request.headers().get("sec-fetch-site");
        if site.is_some_and(|site| site == "cross-site") {
            return answer::text(
                StatusCode::FORBIDDEN,
                "Pages of other sites may not call this one.",
            );
        }
        let Some(called) = route.find(request.uri().path()) else {
            return match route {
                Route::SystemConfig => answer::text(StatusCode::NOT_FOUND, "There is nothing here."),
                Route::NodeGateway => answer::no_route(),
            };
        };
        if *request.method() != Method::POST {
            return answer::text(StatusCode::INTERNAL_SERVER_ERROR, "Method not allowed");
        }
        match self.read(request).await {
            Ok(bytes) => self.call(called, &info, &bytes).await,
            Err(refusal) => refusal,
        }
    }

    /// Reads the body, within its length and its time.
    async fn read(&self, request: Request<Body>) -> Result<Bytes, Response<Body>> {
        let reading = async {
            let turn = self.bodies.acquire().await;
            let read = Limited::new(request.into_body(), MOST_BODY).collect().await;
            drop(turn);
            read
        };
        match tokio::time::timeout(self.body_wait, reading).await {
            Ok(Ok(whole)) => Ok(whole.to_bytes()),
            Ok(Err(fault)) if fault.is::<LengthLimitError>() => {
                let text = format!("The body is longer than {MOST_BODY} bytes.");
                Err(answer::text(StatusCode::PAYLOAD_TOO_LARGE, text))
            }
            Ok(Err(_torn)) => Err(answer::text(StatusCode::BAD_REQUEST, "The body broke off.")),
            Err(_elapsed) => Err(answer::text(
                StatusCode::REQUEST_TIMEOUT,
                "The body took too long to arrive.",
            )),
        }
    }

    async fn call(&self, called: Called, info: &PeerInfo, body: &[u8]) -> Response<Body> {
        let request = match krpc::Request::parse(body) {
            Ok(request) => request,
            Err(fault) => return answer::text(StatusCode::BAD_REQUEST, fault.to_string()),
        };
        let id = RequestId::fresh();
        let peer = Peer::new(Some(info.address.ip()), "buckyos").with_request_id(id.as_str());
        let mut echo = request.echo();
        let reply = match called {
            Called::SystemConfig => {
                // This service never repeats the trace id.
                echo.trace = None;
                system_config::call(self, request, &peer).await
            }
            Called::VerifyHub => verify_hub::call(self, &request, &peer).await,
        };
        let mut response = answer::json(reply.to_body(&echo));
        id.tell(response.headers_mut());
        response
    }
}

/// The service behind one listener.
#[derive(Clone)]
pub(crate) struct Door {
    shared: Arc<Shared>,
    route: Route,
}

impl Door {
    pub(crate) const fn new(shared: Arc<Shared>, route: Route) -> Self {
        Self { shared, route }
    }
}

impl Service<Request<Body>> for Door {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (shared, route) = (Arc::clone(&self.shared), self.route);
        Box::pin(async move { Ok(shared.answer(route, request).await) })
    }
}
