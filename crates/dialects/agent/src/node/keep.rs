//! The loop that keeps a machine one of the zone's: the link, heartbeats, and each next certificate in time.
//!
//! What it leaves to others: what is answered over the link (the service that is given).

use std::{convert::Infallible, path::PathBuf, time::Duration};

use http::{Request, Response};
use model::{ErrorKind, Span, Timestamp};
use rpc::{
    Channel, Fingerprint, Target, Trust,
    link::{Dial, Holder, Pace, serve_reversed},
};
use tasks::{Clock, Tasks};
use tonic::body::Body;
use tower_service::Service;
use wire::soke::agent::v1::{self, node_service_client::NodeServiceClient};

use super::{
    Error,
    join::encoded,
    place::{self, Record},
};

/// What is told of the machine with each heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The agent's version.
    pub version: String,
    /// Its cores.
    pub cores: u32,
    /// Its bytes of memory.
    pub memory_bytes: u64,
}

/// How the loop goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How the link is dialled and watched.
    pub pace: Pace,
    /// How many connections the server may call over: 2.
    pub connections: usize,
    /// How often the machine says that it lives: 10 s.
    pub heartbeat: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pace: Pace::default(),
            connections: 2,
            heartbeat: Duration::from_secs(10),
        }
    }
}

/// Everything that the loop needs.
struct Keeper {
    path: PathBuf,
    record: Record,
    holder: Holder,
    client: NodeServiceClient<Channel>,
    machine: Machine,
    clock: Clock,
}

/// Keeps the link that the file at `path` speaks of, and answers the server's calls with `service`, until `tasks` is
/// cancelled or the zone no longer knows this machine.
///
/// # Errors
/// `Precondition` where the machine has not joined; `Unauthenticated` where the server says over a standing connection
/// that it does not know this machine. A machine that was put out while it was away is refused before it can be
/// told, and goes on dialling.
pub async fn keep<S>(
    path: PathBuf,
    machine: Machine,
    settings: &Settings,
    service: &S,
    clock: &Clock,
    tasks: &Tasks,
) -> Result<(), Error>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let Some(record) = place::load(&path)?.filter(|record| record.membership.is_some()) else {
        return Err(Error::NoMember { path });
    };
    let holder = Holder::new(record.identity(&path)?).map_err(Error::Link)?;
    let target: Target = record.server.parse().map_err(Error::Link)?;
    let authority: Fingerprint = record.authority.parse().map_err(Error::Link)?;
    let dial = Dial::new(target, &Trust::Fingerprint(authority), &holder, settings.pace);
    let dial = dial.map_err(Error::Link)?;
    let own = tasks.child();
    serve_reversed(&dial, service, settings.connections, &own);
    let keeper = Keeper {
        client: NodeServiceClient::new(dial.channel()),
        path,
        record,
        holder,
        machine,
        clock: clock.clone(),
    };
    let ended = keeper.run(settings.heartbeat, tasks).await;
    own.stop(settings.pace.drain).await;
    ended
}

impl Keeper {
    async fn run(mut self, every: Duration, tasks: &Tasks) -> Result<(), Error> {
        let stop = tasks.token();
        let mut failing = false;
        loop {
            let round = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                round = self.round(every) => round,
            };
            match round {
                Ok(()) => failing = false,
                Err(error) if error.kind() == ErrorKind::Unauthenticated => return Err(error),
                Err(error) => {
                    if !failing {
                        tracing::warn!(%error, "the zone's server does not answer: trying again");
                    }
                    failing = true;
                }
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(every) => {}
            }
        }
    }

    /// One heartbeat, and the next certificate where half of the present one's life has passed.
    async fn round(&mut self, longest: Duration) -> Result<(), Error> {
        let beat = v1::HeartbeatRequest {
            version: self.machine.version.clone(),
            cores: self.machine.cores,
            memory_bytes: self.machine.memory_bytes,
        };
        let beat = rpc::within(beat, longest);
        refused("heartbeat", self.client.heartbeat(beat).await)?;
        let Some(membership) = &mut self.record.membership else {
            return Ok(());
        };
        let now = self.clock.now();
        if !is_due(membership.given_at, membership.ends_at, now) {
            return Ok(());
        }
        let request = v1::RenewRequest {
            node_id: membership.node_id.clone(),
            certificate_request: self.record.keys.certificate_request()?,
        };
        let request = rpc::within(request, longest);
        let answer = refused("renew the certificate", self.client.renew(request).await)?;
        let certificate = answer.certificate.ok_or(Error::Answer { what: "certificate" })?;
        membership.chain = encoded(&certificate);
        membership.given_at = now;
        membership.ends_at = Timestamp::from_micros(certificate.ends_at_micros);
        place::save(&self.path, &self.record)?;
        let identity = self.record.identity(&self.path)?;
        self.holder.swap(identity).map_err(Error::Link)
    }
}

/// Tells whether half of a certificate's life has passed, or the clock went back to before it was given.
fn is_due(given_at: Timestamp, ends_at: Timestamp, now: Timestamp) -> bool {
    let half = Span::from_micros((ends_at - given_at).micros() / 2);
    now >= given_at + half || now < given_at
}

fn refused<T>(step: &'static str, answer: Result<tonic::Response<T>, tonic::Status>) -> Result<T, Error> {
    let status = match answer {
        Ok(answer) => return Ok(answer.into_inner()),
        Err(status) => Box::new(status),
    };
    Err(Error::Refused { step, status })
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::is_due;

    #[test]
    fn a_certificate_is_renewed_from_half_of_its_life_on() {
        let at = Timestamp::from_secs;
        for (now, due) in [(100, false), (149, false), (150, true), (250, true), (99, true)] {
            assert_eq!(is_due(at(100), at(200), at(now)), due, "{now}");
        }
    }
}
