//! The proxy: carries a request to a service over HTTP/1.1 and its answer back, as they come, both ways at once.
//!
//! What it is for: [`Proxy::carry`], after a door has said where a request goes and in whose name. What it leaves to
//! others: who may ask ([`crate::http_door::Door`]), the one reading of a request (`rpc`'s strict listeners), and
//! the way to a node ([`Reach`]).
//!
//! Path of a request: turn -> headers without our credentials and with who asks -> a kept connection of this user to
//! this service, or a new one -> head of the answer -> its body, until the right ends.
//!
//! Invariants: no credential of ours reaches a service; no header of a client's can say who asks; a connection that
//! served one user never serves another, and one whose request had a body serves no second; what is open ends when
//! the right ends, and an answer that was cut never looks whole.

mod body;
mod headers;
mod pool;
mod turns;
mod upgrade;
mod upstream;

use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use http::{Request, Response, header};
use rpc::PeerInfo;
use tasks::{Policy, Tasks};
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::body::Body;

use self::{
    body::{Carried, Sending},
    pool::{Key, Pool},
    turns::Turns,
    upgrade::Wanted,
    upstream::Upstream,
};
use crate::http_door::{Door, Endpoint, Forward, Trouble};

/// Bytes both ways; dropping it ends both.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// The way to services: a port of this machine, or a tunnel to another node.
pub trait Reach: Send + Sync + 'static {
    /// Opens one connection to a service. The proxy bounds how long this may take.
    fn reach(&self, endpoint: Endpoint) -> BoxFuture<'_, Result<Box<dyn ByteStream>, Unreachable>>;
}

/// Says why a service cannot be reached. It goes to the log, never to a caller.
#[derive(Debug, thiserror::Error)]
#[error("reach the service: {0}")]
pub struct Unreachable(pub String);

/// Bounds the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The longest time until a connection to a service stands: 5 s.
    pub connect: Duration,
    /// The longest time from the end of a request to the head of its answer: 60 s.
    pub answer: Duration,
    /// The longest silence of a client in the middle of its request: 60 s.
    pub upload_silence: Duration,
    /// The longest silence of a service in the middle of its answer, and the longest that a client may leave it unread:
    /// 1 h.
    pub answer_silence: Duration,
    /// The most requests on their way at a time: 1024.
    pub requests: usize,
    /// The most requests of one user on their way at a time: 256.
    pub requests_of_a_user: usize,
    /// The most idle connections kept for one user and service: 8.
    pub idle: usize,
    /// How long an idle connection is kept: 4 s.
    pub idle_for: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(60),
            upload_silence: Duration::from_secs(60),
            answer_silence: Duration::from_secs(3600),
            requests: 1024,
            requests_of_a_user: 256,
            idle: 8,
            idle_for: Duration::from_secs(4),
        }
    }
}

/// Carries requests to services. Clones share connections and bounds.
#[derive(Clone)]
pub struct Proxy(Arc<Inner>);

struct Inner {
    upstream: Upstream,
    turns: Turns,
    limits: Limits,
    tasks: Tasks,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").finish_non_exhaustive()
    }
}

impl Proxy {
    /// Makes one whose connections are tasks of `tasks`.
    #[must_use]
    pub fn new(reach: Arc<dyn Reach>, limits: Limits, tasks: &Tasks) -> Self {
        let tasks = tasks.child();
        let pool = Pool::new(limits.idle, limits.idle_for, &tasks);
        Self(Arc::new(Inner {
            upstream: Upstream::new(reach, limits.clone(), pool, &tasks),
            turns: Turns::new(limits.requests, limits.requests_of_a_user),
            limits,
            tasks,
        }))
    }

    /// Carries one request to its service. The request came over a strict listener, and its head was checked.
    ///
    /// # Errors
    /// What the door is to say where the service does not answer or may not be asked.
    pub async fn carry(
        &self,
        mut request: Request<Body>,
        forward: Forward,
        door: &dyn Door,
    ) -> Result<Response<Body>, Trouble> {
        let Inner {
            upstream,
            turns,
            limits,
            tasks,
        } = &*self.0;
        let Forward {
            endpoint,
            host,
            identity,
            mut until,
        } = forward;
        let turn = turns.take(identity.user).ok_or(Trouble::Busy)?;
        let peer = PeerInfo::of(request.extensions()).cloned();
        let wanted = Wanted::of(&mut request);
        let (head, body) = request.into_parts();
        let mut head = headers::outgoing(head, &identity, peer.as_ref(), door, wanted.is_some())?;
        if let Some(host) = host {
            head.headers.insert(header::HOST, host);
        }
        let (body, sent) = Sending::new(body, limits.upload_silence);
        let key = Key {
            user: identity.user,
            endpoint,
        };
        let asking = upstream.ask(key, Request::from_parts(head, Body::new(body)), &sent);
        let (response, lease) = tokio::select! {
            biased;
            () = &mut until => return Err(Trouble::Revoked),
            answered = asking => answered?,
        };
        if response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
            let wanted = wanted.ok_or(Trouble::BadAnswer)?;
            return upgrade::join(response, wanted, (lease, turn), until, tasks);
        }
        let (head, body) = response.into_parts();
        let head = headers::incoming(head, door);
        let (body, watch) = Carried::new(body, lease, turn, limits.answer_silence);
        tasks.spawn("right of a proxied request", Policy::MayEnd, watch.keep(until));
        Ok(Response::from_parts(head, Body::new(body)))
    }
}
