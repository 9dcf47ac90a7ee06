//! The dialling side as the server: connections that it keeps open so that the other side can call.
//!
//! What it leaves to others: what is answered (the service).

use std::{convert::Infallible, io, pin::pin};

use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tasks::{Backoff, Clock, Policy, Tasks};
use tokio::task::coop::unconstrained;
use tonic::body::Body;
use tower::{Service, ServiceExt as _};
use uuid::Uuid;

use super::Dial;
use crate::{
    Limits, PeerInfo,
    arrivals::{Driver, Reading},
    connection, intake,
    line::WINDOW,
};

/// Keeps `connections` reversed connections open and answers the calls over them with clones of `service`, until
/// `tasks` is cancelled. A connection that is lost, refused or silent is dialled again.
pub fn serve_reversed<S>(dial: &Dial, service: &S, connections: usize, tasks: &Tasks)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    for number in 1..=connections {
        let keeper = Keeper {
            dial: dial.clone(),
            service: service.clone(),
            tasks: tasks.clone(),
            clock: Clock::system(),
        };
        let name = format!("link {number} to {}", dial.target);
        tasks.spawn(name, Policy::StopAll, keeper.keep());
    }
}

/// One reversed connection, again and again.
struct Keeper<S> {
    dial: Dial,
    service: S,
    tasks: Tasks,
    clock: Clock,
}

impl<S> Keeper<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    async fn keep(self) {
        let (stopping, pace) = (self.tasks.token(), self.dial.pace);
        let mut backoff = Backoff::new(pace.first_wait, pace.longest_wait);
        let mut failing = false;
        loop {
            let begun = self.clock.monotonic();
            let ended = self.once().await;
            if stopping.is_cancelled() {
                return;
            }
            if self.clock.monotonic().saturating_duration_since(begun) >= pace.steady {
                backoff.reset();
                failing = false;
            }
            match ended {
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(target = %self.dial.target, %error, "the link is down: dialling again");
                }
                Err(error) => tracing::debug!(target = %self.dial.target, %error, "the link is still down"),
                Ok(()) => tracing::debug!(target = %self.dial.target, "the other side closed the link"),
            }
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(backoff.next_wait(spread())) => {}
            }
        }
    }

    /// Dials, and serves until the connection ends.
    async fn once(&self) -> io::Result<()> {
        let stopping = self.tasks.token();
        let tls = tokio::select! {
            biased;
            () = stopping.cancelled() => return Ok(()),
            opened = self.dial.open_reversed() => opened?,
        };
        let (tcp, session) = tls.get_ref();
        let chain = session.peer_certificates().unwrap_or_default();
        let peer = PeerInfo {
            address: tcp.peer_addr()?,
            local: tcp.local_addr()?,
            tls: true,
            server_name: None,
            certificates: chain.iter().map(|one| one.clone().into_owned()).collect(),
        };
        let limits = Limits {
            ping_every: self.dial.pace.ping_every,
            ping_wait: self.dial.pace.ping_wait,
            ..Limits::default()
        };
        let driver = Driver::new(&self.tasks, limits.drain);
        let (_one, mut two) = connection::builders(&limits, &driver);
        // Who calls here is trusted, and a request that waits for its handler holds up no other.
        two.http2().initial_connection_window_size(WINDOW);
        let service = self.service.clone();
        let answer = service_fn(move |request: Request<Incoming>| {
            let mut request = intake::take(request);
            request.extensions_mut().insert(peer.clone());
            service.clone().oneshot(request)
        });
        let connection = pin!(two.serve_connection(TokioIo::new(tls), answer));
        let mut reading = Reading::new(connection, &driver);
        tokio::select! {
            biased;
            ended = &mut reading => return ended.map_err(io::Error::other),
            () = stopping.cancelled() => reading.connection().as_mut().graceful_shutdown(),
        }
        tokio::select! {
            biased;
            ended = reading => ended.map_err(io::Error::other),
            () = unconstrained(tokio::time::sleep(self.dial.pace.drain)) => Ok(()),
        }
    }
}

/// A place from 0 to 1 within the spread of a wait, so that many who lost their link at once come back one by one.
fn spread() -> f64 {
    let [byte, ..] = *Uuid::new_v4().as_bytes();
    f64::from(byte) / f64::from(u8::MAX)
}
