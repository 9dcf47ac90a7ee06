//! Services on the zone's machines, as the server reaches them: each is called over its link, and tells over a stream
//! that it has news.
//!
//! What it leaves to others: which service runs where (`services`), and the doing of it (`node::services` on the
//! machine).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use model::{ErrorKind, NodeId, RunId};
use rpc::link::Reach;
use services::{
    Error,
    node::{Machine, Nodes, OnNode, Order, Report},
};
use tonic::{Status, Streaming};
use wire::soke::agent::v1::{self, service_agent_service_client::ServiceAgentServiceClient};

use crate::{Machines, service_form};

/// How long a node may take for a step.
const STEP: Duration = Duration::from_secs(30);
/// How long a node may take to say how its services stand.
const LOOK: Duration = Duration::from_secs(10);
/// How long after a stream of news broke the next one is opened.
const AGAIN: Duration = Duration::from_secs(1);

/// Every machine of the zone as a node for services. Clones share everything.
#[derive(Clone)]
pub struct ServiceNodes(Arc<Inner>);

struct Inner {
    nodes: nodes::Handle,
    machines: Machines,
    reached: Mutex<BTreeMap<NodeId, Arc<OverLink>>>,
}

impl ServiceNodes {
    /// The machines of a zone, by their links.
    #[must_use]
    pub fn new(nodes: nodes::Handle, machines: Machines) -> Self {
        Self(Arc::new(Inner {
            nodes,
            machines,
            reached: Mutex::default(),
        }))
    }
}

impl Nodes for ServiceNodes {
    fn machines(&self) -> BoxFuture<'_, Result<Vec<Machine>, Error>> {
        Box::pin(async move {
            let named = self.0.nodes.names().await.map_err(|error| Error::Node {
                step: "list the zone's machines",
                kind: error.kind(),
                source: Box::new(error),
            })?;
            let mut reached = self.0.reached.lock().unwrap_or_else(PoisonError::into_inner);
            reached.retain(|id, _| named.contains_key(id));
            let listed = named.into_iter().map(|(id, name)| Machine {
                id,
                name: name.to_string(),
            });
            Ok(listed.collect())
        })
    }

    fn on(&self, node: NodeId) -> Option<Arc<dyn OnNode>> {
        if !self.0.machines.is_present(node) {
            return None;
        }
        let mut reached = self.0.reached.lock().unwrap_or_else(PoisonError::into_inner);
        let found = reached.entry(node).or_insert_with(|| {
            Arc::new(OverLink {
                client: ServiceAgentServiceClient::new(self.0.machines.reach(node)),
                news: tokio::sync::Mutex::new(None),
            })
        });
        Some(Arc::<OverLink>::clone(found))
    }
}

/// One machine as a node for services.
struct OverLink {
    client: ServiceAgentServiceClient<Reach>,
    /// The stream over which the machine tells that it has news, while one stands.
    news: tokio::sync::Mutex<Option<Streaming<v1::WatchRunsResponse>>>,
}

/// What a node answered instead.
fn refused(step: &'static str) -> impl FnOnce(Status) -> Error {
    move |status| Error::Node {
        step,
        kind: wire::kind(status.code()).unwrap_or(ErrorKind::Internal),
        source: status.message().into(),
    }
}

impl OverLink {
    /// Waits for the next word of the stream; opens it where none stands.
    async fn hear(&self) -> Result<(), Status> {
        let mut news = self.news.lock().await;
        let stream = match &mut *news {
            Some(stream) => stream,
            None => {
                let opened = self.client.clone().watch_runs(v1::WatchRunsRequest {}).await?;
                news.insert(opened.into_inner())
            }
        };
        match stream.message().await {
            Ok(Some(_word)) => Ok(()),
            ended => {
                *news = None;
                ended.and(Err(Status::unavailable("the stream of news ended")))
            }
        }
    }
}

impl OnNode for OverLink {
    fn start(&self, order: Order) -> BoxFuture<'_, Result<(), Error>> {
        let (mut client, request) = (self.client.clone(), service_form::encode_order(order));
        Box::pin(async move {
            let started = client.start_run(rpc::within(request, STEP)).await;
            started
                .map(drop)
                .map_err(refused("start the service on its node"))
        })
    }

    fn end(&self, run: RunId) -> BoxFuture<'_, Result<(), Error>> {
        let (mut client, run_id) = (self.client.clone(), run.to_string());
        Box::pin(async move {
            let ended = client
                .end_run(rpc::within(v1::EndRunRequest { run_id }, STEP))
                .await;
            ended.map(drop).map_err(refused("end the service on its node"))
        })
    }

    fn observe(&self) -> BoxFuture<'_, Result<Vec<Report>, Error>> {
        let mut client = self.client.clone();
        Box::pin(async move {
            let step = "ask a node for its services";
            let listed = client.list_runs(rpc::within(v1::ListRunsRequest {}, LOOK)).await;
            let listed = listed.map_err(refused(step))?.into_inner();
            let reports: Option<Vec<Report>> =
                listed.runs.into_iter().map(service_form::decode_report).collect();
            reports.ok_or_else(|| Error::Node {
                step,
                kind: ErrorKind::Unimplemented,
                source: "it tells of them in a way that this server does not know".into(),
            })
        })
    }

    fn forget(&self, run: RunId) -> BoxFuture<'_, Result<(), Error>> {
        let (mut client, run_id) = (self.client.clone(), run.to_string());
        Box::pin(async move {
            let forgotten = client
                .forget_run(rpc::within(v1::ForgetRunRequest { run_id }, STEP))
                .await;
            forgotten
                .map(drop)
                .map_err(refused("drop the record of a service on its node"))
        })
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Err(status) = self.hear().await {
                tracing::debug!(%status, "a node does not tell of its services");
                tokio::time::sleep(AGAIN).await;
            }
        })
    }
}
