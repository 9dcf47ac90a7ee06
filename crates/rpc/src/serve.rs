//! The accept loop of a listener, and its end.
//!
//! What it leaves to others: what happens on a connection (`connection`) and in a call (the service). The
//! loop outlives every error of the system and of a peer: RUSTSEC-2024-0376 is what happens otherwise.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use http::{Request, Response};
use tasks::{Backoff, Policy, Stopped, Tasks};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::Service;

use crate::{
    Limits, Listener,
    arrivals::Driver,
    connection::{self, Shared},
    seats::Seats,
};

/// How long cut connections may take to leave.
const LEAVE: Duration = Duration::from_secs(1);

/// A listener that is being served.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    tasks: Tasks,
    cut: CancellationToken,
}

impl Serving {
    /// The address that is served.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, tells each peer to make no new calls, waits `grace` for the running ones and then
    /// cuts them. Returns within the grace and a second; names what had not ended even then.
    pub async fn stop(&self, grace: Duration) -> Stopped {
        let stopped = self.tasks.stop(grace).await;
        if stopped.late.is_empty() {
            return stopped;
        }
        self.cut.cancel();
        self.tasks.stop(LEAVE).await
    }
}

/// Serves every connection to `listener` with clones of `service`, in a group of tasks of its own that also
/// ends when `tasks` is cancelled.
///
/// Each request carries a [`crate::PeerInfo`]. The service is a [`crate::Calls`] or anything that answers
/// HTTP; a gRPC service that stands here bare has no deadline and no limits of calls.
pub fn serve<S>(listener: Listener, service: S, tasks: &Tasks, limits: Limits) -> Serving
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let Listener {
        tcp,
        address,
        security,
        links,
        strict,
    } = listener;
    let group = tasks.child();
    let cut = CancellationToken::new();
    let driver = Driver::new(&group, limits.drain);
    let (one, two) = connection::builders(&limits, &driver);
    let seats = Seats::new(limits.connections.min(half_of_the_files()));
    let shared = Arc::new(Shared {
        service,
        security,
        links,
        strict,
        limits,
        tasks: group.clone(),
        cut: cut.clone(),
        driver,
        one,
        two,
    });
    let name = format!("listener {address}");
    group.spawn(name, Policy::StopAll, accept(tcp, seats, shared));
    Serving {
        address,
        tasks: group,
        cut,
    }
}

/// Half of the files that this process may have open; the store and the jobs need the other half.
fn half_of_the_files() -> usize {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    most.and_then(|most| usize::try_from(most / 2).ok())
        .unwrap_or(usize::MAX)
}

async fn accept<S>(tcp: TcpListener, seats: Seats, shared: Arc<Shared<S>>)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let stopping = shared.tasks.token();
    let mut backoff = Backoff::new(Duration::from_millis(5), Duration::from_secs(1));
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopping.cancelled() => return,
            accepted = tcp.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                failing = false;
                backoff.reset();
                admit(stream, address, &seats, &shared);
            }
            Err(error) if concerns_one_peer(&error) => tracing::debug!(%error, "accept failed for one peer"),
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "accept fails: trying again, connections without a running request yield");
                    failing = true;
                }
                seats.free_one();
                tokio::select! {
                    () = stopping.cancelled() => return,
                    () = tokio::time::sleep(backoff.next_wait(0.5)) => {}
                }
            }
        }
    }
}

fn admit<S>(stream: TcpStream, address: SocketAddr, seats: &Seats, shared: &Arc<Shared<S>>)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    match seats.take() {
        Some(seat) => {
            // In its place at once: it is large, and would be copied on each step of the way into a task.
            let connection = Box::pin(connection::run(stream, address, seat, Arc::clone(shared)));
            shared.tasks.spawn("connection", Policy::MayEnd, connection);
        }
        None => tracing::debug!(peer = %address, "connection refused: all places are taken"),
    }
}

/// Tells whether an error of accept speaks of the connection that was to be accepted, as accept(2) says for
/// Linux, and not of this process or machine.
fn concerns_one_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
    )
}
