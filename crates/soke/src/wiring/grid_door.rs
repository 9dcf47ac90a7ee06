//! Grid's door gets its listener and its proxy from the gateway, and deployments from the services.
//!
//! What it leaves to others: what is said at this door (dialect `grid`), carrying bytes (`gateway`).

use std::{sync::Arc, time::Duration};

use access::{Access, Actor, Peer};
use futures::future::BoxFuture;
use gateway::{
    http_door::{self, Answer, Door, Identity, Trouble},
    proxy::{Limits, Proxy, Reach},
};
use grid::{NoEndpoint, NotDeployed};
use http::{HeaderValue, Response, StatusCode, request};
use model::ErrorKind;
use rpc::Security;
use services::Which;
use tasks::{Clock, Tasks};
use tonic::body::Body;

use super::hosts_in_tests::HostsInTests;
use crate::{config::Config, failure::Failure};

/// How long a deployment may take to answer; the handshake waits for it.
const READY: Duration = Duration::from_secs(60);

/// What the door is made of beside the configuration.
pub(crate) struct Parts<'a> {
    pub(crate) access: &'a Access,
    pub(crate) services: services::Handle,
    /// The way to services, on this machine and others.
    pub(crate) reach: Arc<dyn Reach>,
    pub(crate) clock: &'a Clock,
    pub(crate) tasks: &'a Tasks,
}

/// Opens the listener.
pub(crate) async fn open_grid_door(config: &Config, parts: Parts<'_>) -> Result<http_door::Handle, Failure> {
    let Parts {
        access,
        services,
        reach,
        clock,
        tasks,
    } = parts;
    let hosts = config.test.then(|| Arc::new(HostsInTests::default()));
    // In a zone for tests nothing is deployed, and what stands for services lies anywhere.
    let reach = hosts.clone().map_or(reach, |hosts| hosts as Arc<dyn Reach>);
    let door = grid::Door::new(grid::Parts {
        access: access.clone(),
        services: Arc::new(Deployments {
            access: access.clone(),
            services,
        }),
        clock: clock.clone(),
        test: config.test,
    });
    let handle = http_door::start(http_door::Parts {
        name: "grid.http",
        listen: config.grid.listen,
        security: Security::Plain,
        limits: rpc::Limits::default(),
        door: Arc::new(GridDoor {
            door,
            access: access.clone(),
            hosts,
        }),
        proxy: Proxy::new(reach, Limits::default(), tasks),
        allowed_hosts: std::iter::once(config.zone.host.clone())
            .chain(config.native.hosts.iter().cloned())
            .collect(),
        tasks: tasks.clone(),
    })
    .await?;
    Ok(handle)
}

/// The dialect's door in the gateway's words.
struct GridDoor {
    door: grid::Door,
    access: Access,
    hosts: Option<Arc<HostsInTests>>,
}

impl GridDoor {
    fn forward(&self, forward: grid::Forward) -> http_door::Forward {
        let grid::Forward {
            endpoint,
            origin,
            user,
        } = forward;
        let mut host = None;
        if let (Some(hosts), Some(origin)) = (&self.hosts, origin) {
            host = HeaderValue::from_str(&origin.authority()).ok();
            hosts.know(endpoint.service, origin);
        }
        let (access, session) = (self.access.clone(), user.session);
        http_door::Forward {
            endpoint: http_door::Endpoint {
                node: endpoint.node,
                service: endpoint.service,
                port: endpoint.port,
            },
            host,
            identity: Identity {
                user: user.id,
                name: user.name.to_string(),
            },
            until: Box::pin(async move { access.until_revoked(session).await }),
        }
    }
}

impl Door for GridDoor {
    fn answer<'a>(&'a self, head: &'a request::Parts) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            match self.door.answer(head).await {
                grid::Answer::Response(response) => Answer::Response(response),
                grid::Answer::Forward(forward) => Answer::Forward(self.forward(forward)),
            }
        })
    }

    fn trouble(&self, trouble: Trouble) -> Response<Body> {
        // The document: whatever goes wrong on the way to the service is 400. What never was on the way has a status
        // of its own.
        let refused = matches!(
            trouble,
            Trouble::HostNotOurs | Trouble::MethodRefused | Trouble::ForeignPage
        );
        let status = if refused {
            trouble.status()
        } else {
            StatusCode::BAD_REQUEST
        };
        grid::refusal(status, trouble.text())
    }

    fn owns_cookie(&self, name: &str) -> bool {
        grid::owns_cookie(name)
    }
}

/// Deploys through the services slice, with a permit for each step.
struct Deployments {
    access: Access,
    services: services::Handle,
}

impl Deployments {
    async fn deploy(&self, actor: &Actor, peer: &Peer, url: &str) -> Result<(), services::Error> {
        let deploy = self.access.permit(actor, peer).await?;
        let service = self.services.deploy_from(deploy, url.to_owned()).await?;
        let look = self.access.permit(actor, peer).await?;
        self.services.ready(&look, service.id, READY).await?;
        Ok(())
    }

    async fn endpoint(&self, actor: &Actor, peer: &Peer) -> Result<services::Endpoint, services::Error> {
        let permit = self.access.permit(actor, peer).await?;
        self.services.endpoint(&permit, Which::Latest).await
    }
}

/// Whether the fault is ours; it is logged then, and its words are for nobody else.
fn is_ours(error: &services::Error) -> bool {
    let from_elsewhere = matches!(error, services::Error::Fetch { .. });
    let ours = !from_elsewhere && matches!(error.kind(), ErrorKind::Internal | ErrorKind::Unavailable);
    if ours {
        tracing::error!(error = model::chain(error), "a call failed");
    }
    ours
}

impl grid::Services for Deployments {
    fn deploy<'a>(
        &'a self,
        actor: &'a Actor,
        peer: &'a Peer,
        url: &'a str,
    ) -> BoxFuture<'a, Result<(), NotDeployed>> {
        Box::pin(async move {
            let deployed = self.deploy(actor, peer, url).await;
            deployed.map_err(|error| {
                if matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unauthenticated) {
                    NotDeployed::NotAllowed
                } else if is_ours(&error) {
                    NotDeployed::Failed("try again later".to_owned())
                } else {
                    NotDeployed::Failed(error.to_string())
                }
            })
        })
    }

    fn endpoint<'a>(
        &'a self,
        actor: &'a Actor,
        peer: &'a Peer,
    ) -> BoxFuture<'a, Result<grid::Endpoint, NoEndpoint>> {
        Box::pin(async move {
            let found = self.endpoint(actor, peer).await;
            let found = found.map_err(|error| {
                if is_ours(&error) {
                    NoEndpoint::Failed
                } else {
                    NoEndpoint::NotDeployed
                }
            })?;
            Ok(grid::Endpoint {
                node: found.node,
                service: found.service,
                port: found.port,
            })
        })
    }
}
