//! `soke.v1.ZoneService`: how the zone is.
//!
//! What it leaves to others: what is checked, and how (crate `soke` gives the checks as a value).

use std::sync::{Arc, OnceLock};

use access::zone;
use model::Timestamp;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use wire::soke::v1::{self, zone_service_server::ZoneService};

use caller::Callers;

use crate::{fault, stamp::stamp};

/// How one part of the zone is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It works in full.
    Ok,
    /// It works in a smaller form.
    Reduced,
    /// It does not work.
    Bad,
}

/// One part of the zone that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, in one word.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// What is missing and how to get it; what there is where nothing is missing.
    pub text: String,
}

/// Where the zone stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Host and port under which other machines reach the native listener.
    pub address: String,
    /// Every listener, as `name address`.
    pub listeners: Vec<String>,
}

/// What is known about the zone beside what the slices tell.
#[derive(Clone)]
pub struct Zone {
    /// The host name under which the zone answers.
    pub host: String,
    /// The version of this program.
    pub version: String,
    /// When the zone started this time.
    pub started_at: Timestamp,
    /// The name of the store's engine.
    pub store_engine: &'static str,
    /// Where it stands; set once everything is bound.
    pub bound: Arc<OnceLock<Bound>>,
    /// The packages of other protocols that the same listener serves, for those who ask it what there is.
    pub beside: &'static [&'static str],
    /// Services of these packages whose health may be asked for, and the check without which each does not work.
    pub parts_beside: &'static [(&'static str, Option<&'static str>)],
    /// Cancelled when the zone begins to stop.
    pub stopping: CancellationToken,
    /// Looks at the parts of the zone now.
    pub checks: Arc<dyn Fn() -> Vec<Check> + Send + Sync>,
}

/// Serves the zone's call.
#[derive(Clone)]
pub(crate) struct ZoneState {
    pub(crate) callers: Callers,
    pub(crate) jobs: jobs::Handle,
    pub(crate) accounts: accounts::Handle,
    pub(crate) zone: Zone,
}

#[tonic::async_trait]
impl ZoneService for ZoneState {
    async fn get_status(
        &self,
        request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        let (metadata, extensions, v1::GetStatusRequest {}) = request.into_parts();
        self.callers
            .permit::<zone::Status>(&metadata, &extensions)
            .await?;
        let (root, zone) = (self.callers.access().zone(), &self.zone);
        let bound = zone.bound.get();
        let counts = self.jobs.counts().await.map_err(fault::jobs)?;
        let waiting = self.accounts.counts().await.map_err(fault::accounts)?;
        let checks = (zone.checks)().into_iter().chain(unpaid(waiting));
        Ok(Response::new(v1::GetStatusResponse {
            zone_id: root.zone_id().to_owned(),
            zone_host: zone.host.clone(),
            version: zone.version.clone(),
            started_at: Some(stamp(zone.started_at)),
            ca_fingerprint: root.ca_fingerprint().to_owned(),
            listeners: bound.map(|bound| bound.listeners.clone()).unwrap_or_default(),
            address: bound.map(|bound| bound.address.clone()).unwrap_or_default(),
            checks: checks.map(encode).collect(),
            jobs_pending: u32::try_from(counts.pending).unwrap_or(u32::MAX),
            jobs_running: u32::try_from(counts.running).unwrap_or(u32::MAX),
            store_engine: zone.store_engine.to_owned(),
        }))
    }
}

/// Jobs that an account is to pay for and that are not charged, where there are any.
fn unpaid(waiting: accounts::Counts) -> Option<Check> {
    let accounts::Counts { unpriced, uncharged } = waiting;
    let (health, text) = match (unpriced, uncharged) {
        (0, 0) => return None,
        (_, 0) => (
            Health::Reduced,
            format!(
                "jobs that wait for a price: {unpriced}; they are charged once it is there: soke price set"
            ),
        ),
        (_, 1..) => (
            Health::Bad,
            format!("jobs that cannot be charged: {uncharged}; an amount is larger than can be kept"),
        ),
    };
    let name = "charges".to_owned();
    Some(Check { name, health, text })
}

fn encode(check: Check) -> v1::Check {
    let health = match check.health {
        Health::Ok => v1::Health::Ok,
        Health::Reduced => v1::Health::Reduced,
        Health::Bad => v1::Health::Bad,
    };
    v1::Check {
        name: check.name,
        health: health.into(),
        text: check.text,
    }
}
