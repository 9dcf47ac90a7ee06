//! The service behind a dialect's HTTP listener: the rules for every request, then the door, then the proxy.
//!
//! What it leaves to others: which hosts are ours (`hosts`), and every answer's look (the door).

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, Method, Request, Response, header};
use tonic::body::Body;
use tower_service::Service;

use super::{Answer, Door, Trouble};
use crate::{
    hosts::{Fault, Hosts, same_origin},
    proxy::Proxy,
};

/// Answers every request that comes to the listener. Clones share everything.
#[derive(Clone)]
pub(super) struct Front {
    door: Arc<dyn Door>,
    hosts: Arc<Hosts>,
    proxy: Proxy,
}

impl Front {
    pub(super) fn new(door: Arc<dyn Door>, hosts: Hosts, proxy: Proxy) -> Self {
        let hosts = Arc::new(hosts);
        Self { door, hosts, proxy }
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        if let Err(trouble) = self.check(&request) {
            return self.refuse(trouble);
        }
        let (head, body) = request.into_parts();
        match self.door.answer(&head).await {
            Answer::Response(response) => response,
            Answer::Forward(forward) => {
                let request = Request::from_parts(head, body);
                let carried = self.proxy.carry(request, forward, &*self.door).await;
                carried.unwrap_or_else(|trouble| self.refuse(trouble))
            }
        }
    }

    /// What stands behind a request with two readings on its connection is nobody's next request.
    fn refuse(&self, trouble: Trouble) -> Response<Body> {
        let mut response = self.door.trouble(trouble);
        if trouble == Trouble::Ambiguous {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }

    fn check(&self, request: &Request<Body>) -> Result<(), Trouble> {
        if *request.method() == Method::CONNECT {
            return Err(Trouble::MethodRefused);
        }
        let asked = self.hosts.check(request).map_err(|fault| match fault {
            Fault::Missing | Fault::Malformed => Trouble::HostMalformed,
            Fault::NotOurs => Trouble::HostNotOurs,
        })?;
        let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let upgrades = request.headers().contains_key(header::UPGRADE);
        if (!reads || upgrades) && !same_origin(request.headers(), &asked) {
            return Err(Trouble::ForeignPage);
        }
        Ok(())
    }
}

impl Service<Request<Body>> for Front {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let front = self.clone();
        Box::pin(async move { Ok(front.answer(request).await) })
    }
}
