//! Asking a service: over a kept connection, or over a new one.
//!
//! What it leaves to others: what is asked (`headers`), and what becomes of the answer (`body`).

use std::sync::Arc;

use http::{Method, Request, Response};
use http_body::Body as _;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tasks::{Policy, Tasks};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;

use super::{
    Limits, Reach,
    pool::{Connection, Key, Pool},
};
use crate::http_door::Trouble;

/// The most bytes of the head of an answer.
const HEAD_BYTES: usize = 256 * 1024;
/// The most header lines of an answer.
const HEADERS: usize = 200;

/// The way to services. Clones share connections.
#[derive(Clone)]
pub(super) struct Upstream {
    reach: Arc<dyn Reach>,
    limits: Limits,
    pool: Pool,
    tasks: Tasks,
}

/// A connection that is in use. Dropping it ends the connection.
#[derive(Debug)]
pub(super) struct Lease {
    connection: Connection,
    key: Key,
    pool: Pool,
    /// Whether it may serve once more: only where no byte of this request can be left over on it.
    again: bool,
}

/// How asking over one connection failed.
enum Failed {
    /// Nothing was sent, or it does no harm to send it once more.
    Again(Box<Request<Body>>),
    /// For good.
    Finally(Trouble),
}

impl Lease {
    /// Cuts the connection.
    pub(super) fn cut(&self) -> CancellationToken {
        self.connection.cut.clone()
    }

    /// Keeps the connection: the whole answer was read.
    pub(super) fn give_back(self) {
        if self.again {
            self.pool.put(self.key, self.connection);
        }
    }
}

impl Upstream {
    pub(super) fn new(reach: Arc<dyn Reach>, limits: Limits, pool: Pool, tasks: &Tasks) -> Self {
        let tasks = tasks.clone();
        Self {
            reach,
            limits,
            pool,
            tasks,
        }
    }

    /// Sends a request and waits for the head of its answer, from when the request is `sent` whole for a bounded
    /// time.
    pub(super) async fn ask(
        &self,
        key: Key,
        request: Request<Body>,
        sent: &CancellationToken,
    ) -> Result<(Response<Incoming>, Lease), Trouble> {
        let asking = self.ask_twice(key, request);
        let too_long = async {
            sent.cancelled().await;
            // Making a connection has its own bound.
            sleep(self.limits.answer + self.limits.connect).await;
        };
        tokio::select! {
            biased;
            answered = asking => answered,
            () = too_long => Err(Trouble::TimedOut),
        }
    }

    async fn ask_twice(
        &self,
        key: Key,
        mut request: Request<Body>,
    ) -> Result<(Response<Incoming>, Lease), Trouble> {
        if let Some(connection) = self.pool.take(&key) {
            match self.ask_over(key, connection, request).await {
                Ok(answered) => return Ok(answered),
                Err(Failed::Again(unsent)) => request = *unsent,
                Err(Failed::Finally(trouble)) => return Err(trouble),
            }
        }
        let connection = self.connect(key).await?;
        match self.ask_over(key, connection, request).await {
            Ok(answered) => Ok(answered),
            Err(Failed::Again(_)) => Err(Trouble::Unreachable),
            Err(Failed::Finally(trouble)) => Err(trouble),
        }
    }

    async fn ask_over(
        &self,
        key: Key,
        connection: Connection,
        request: Request<Body>,
    ) -> Result<(Response<Incoming>, Lease), Failed> {
        let bare = request.body().is_end_stream();
        let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let once_more = (bare && safe).then(|| copy_of(&request));
        let mut lease = Lease {
            connection,
            key,
            pool: self.pool.clone(),
            again: bare,
        };
        match lease.connection.sender.try_send_request(request).await {
            Ok(response) => Ok((response, lease)),
            Err(mut failed) => {
                let unsent = failed.take_message();
                let error = failed.into_error();
                tracing::debug!(%error, "a request to a service failed");
                let trouble = trouble(&error);
                // A kept connection may have been closed by the service while this was on its way.
                let once_more = once_more.filter(|_| trouble == Trouble::Unreachable);
                Err(match unsent.or(once_more) {
                    Some(request) => Failed::Again(Box::new(request)),
                    None => Failed::Finally(trouble),
                })
            }
        }
    }

    async fn connect(&self, key: Key) -> Result<Connection, Trouble> {
        let reaching = timeout(self.limits.connect, self.reach.reach(key.endpoint)).await;
        let io = match reaching {
            Ok(Ok(io)) => io,
            Ok(Err(error)) => {
                tracing::debug!(%error, service = %key.endpoint.service, "no connection");
                return Err(Trouble::Unreachable);
            }
            Err(_elapsed) => return Err(Trouble::TimedOut),
        };
        let mut builder = http1::Builder::new();
        builder.max_headers(HEADERS).max_buf_size(HEAD_BYTES);
        let (sender, connection) = builder
            .handshake(TokioIo::new(io))
            .await
            .map_err(|error| trouble(&error))?;
        let (cut, stopping) = (CancellationToken::new(), self.tasks.token());
        let ends = cut.clone();
        self.tasks
            .spawn("connection to a service", Policy::MayEnd, async move {
                tokio::select! {
                    biased;
                    () = ends.cancelled() => {}
                    () = stopping.cancelled() => {}
                    ended = connection.with_upgrades() => {
                        if let Err(error) = ended {
                            tracing::debug!(%error, "a connection to a service ended");
                        }
                    }
                }
            });
        Ok(Connection { sender, cut })
    }
}

/// The same request once more; it has no body.
fn copy_of(request: &Request<Body>) -> Request<Body> {
    let mut copy = Request::new(Body::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

fn trouble(error: &hyper::Error) -> Trouble {
    if error.is_user() {
        // The client's body broke off or has two readings.
        Trouble::Ambiguous
    } else if error.is_parse() {
        Trouble::BadAnswer
    } else {
        Trouble::Unreachable
    }
}
