//! `grpc.health.v1.Health`: whether the zone takes calls, as a whole and by part. A part has the name of its service.
//!
//! The whole is told to anybody, as on the page `/healthz`, so that what looks after this process needs no credential.
//! The parts, and a watch of whatever it is, are for those who may ask how the zone is. What it leaves to others: what is
//! checked (`zone`).

use std::{pin::Pin, time::Duration};

use access::zone;
use caller::Callers;
use model::ErrorKind;
use tonic::{Request, Response, Status, codegen::BoxStream};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server::Health,
};
use wire::soke::v1::{
    account_service_server, audit_service_server, job_service_server, node_service_server,
    service_service_server, session_service_server, user_service_server, zone_service_server,
};

use crate::zone::{Health as HealthOf, Zone};

/// How often a watch looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The check of the zone without which a part does not work; every part works with the store alone otherwise.
const PARTS: [(&str, Option<&str>); 8] = [
    (account_service_server::SERVICE_NAME, None),
    (audit_service_server::SERVICE_NAME, None),
    (job_service_server::SERVICE_NAME, Some("work")),
    (node_service_server::SERVICE_NAME, None),
    (service_service_server::SERVICE_NAME, Some("work")),
    (session_service_server::SERVICE_NAME, None),
    (user_service_server::SERVICE_NAME, None),
    (zone_service_server::SERVICE_NAME, None),
];

/// Serves the health calls.
#[derive(Clone)]
pub(crate) struct ZoneHealth {
    pub(crate) callers: Callers,
    pub(crate) jobs: jobs::Handle,
    pub(crate) zone: Zone,
}

impl ZoneHealth {
    /// How a part is, or the whole without a name; nothing for a part that there is not.
    async fn of(&self, service: &str) -> Option<ServingStatus> {
        let needs = match service {
            "" => None,
            name => {
                let mut parts = PARTS.iter().chain(self.zone.parts_beside);
                parts.find(|(part, _needs)| *part == name)?.1
            }
        };
        if self.zone.stopping.is_cancelled() {
            return Some(ServingStatus::NotServing);
        }
        // Any small question shows whether the store answers.
        if let Err(error) = self.jobs.counts().await {
            caller::fault::log(error.kind(), &error);
            return Some(ServingStatus::NotServing);
        }
        let broken = |check: &str| {
            let checks = (self.zone.checks)();
            checks
                .iter()
                .any(|one| one.name == check && one.health == HealthOf::Bad)
        };
        Some(if needs.is_some_and(broken) {
            ServingStatus::NotServing
        } else {
            ServingStatus::Serving
        })
    }
}

#[tonic::async_trait]
impl Health for ZoneHealth {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let (metadata, extensions, HealthCheckRequest { service }) = request.into_parts();
        if !service.is_empty() {
            self.callers
                .permit::<zone::Status>(&metadata, &extensions)
                .await?;
        }
        let status = self.of(&service).await;
        let status = status.ok_or_else(|| {
            let text = "the zone has no part of that name; parts have the names of its services, such as \
                        soke.v1.JobService";
            wire::status(ErrorKind::NotFound, text)
        })?;
        Ok(Response::new(answer(status)))
    }

    type WatchStream = BoxStream<HealthCheckResponse>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (metadata, extensions, HealthCheckRequest { service }) = request.into_parts();
        let permit = self.callers.permit::<zone::Status>(&metadata, &extensions);
        let (lasting, access) = (permit.await?.lasting(), self.callers.access().clone());
        let watched = Watched {
            health: self.clone(),
            service,
            last: None,
            ended: Some(Box::pin(async move { access.until_ended(&lasting).await })),
        };
        let states = futures::stream::unfold(watched, Watched::next);
        Ok(Response::new(Box::pin(states)))
    }
}

/// One watch.
struct Watched {
    health: ZoneHealth,
    service: String,
    last: Option<ServingStatus>,
    /// Resolves with the session; taken when it has.
    ended: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Watched {
    /// The next state that is another than the last one. After that of a zone that stops there is none.
    async fn next(mut self) -> Option<(Result<HealthCheckResponse, Status>, Self)> {
        loop {
            let is_last = self.health.zone.stopping.is_cancelled();
            let now = self.health.of(&self.service).await;
            let now = now.unwrap_or(ServingStatus::ServiceUnknown);
            if self.last.replace(now) != Some(now) {
                return Some((Ok(answer(now)), self));
            }
            let ended = self.ended.as_mut().filter(|_| !is_last)?;
            tokio::select! {
                () = ended => {
                    self.ended = None;
                    return Some((Err(caller::fault::access(access::Error::SessionEnded)), self));
                }
                () = self.health.zone.stopping.cancelled() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}
