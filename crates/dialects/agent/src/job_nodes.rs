//! Jobs on the zone's machines, as the server reaches them: each is called over its link, and tells over a stream that
//! it has news.
//!
//! A machine counts as present while its stream stands. What it leaves to others: which job runs where (`jobs`), and
//! the doing of it (`node::jobs` on the machine).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use confine::Account;
use futures::{
    StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use jobs::{
    Error,
    node::{Capacity, Known, Nodes, OnNode, Order, Report},
};
use model::{ErrorKind, JobId, NodeId};
use rpc::link::Reach;
use tasks::{Backoff, Policy, Tasks};
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;
use wire::soke::agent::v1::{self, job_agent_service_client::JobAgentServiceClient};

use crate::{Machines, account, job_form};

/// How long a node may take for a step.
const STEP: Duration = Duration::from_secs(30);
/// How long a node may take to say how its jobs stand.
const LOOK: Duration = Duration::from_secs(10);
/// The waits between tries to hear of a node that has a link and does not speak of jobs.
const AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Every machine of the zone as a node for jobs. Clones share everything.
#[derive(Clone)]
pub struct JobNodes(Arc<Inner>);

struct Inner {
    nodes: nodes::Handle,
    machines: Machines,
    tasks: Tasks,
    known: Mutex<BTreeMap<NodeId, Attended>>,
    news: Arc<News>,
}

/// Who is told that a node joined, was removed, came back or went away.
#[derive(Default)]
struct News {
    /// Whoever gives turns.
    turns: Notify,
    /// Anybody else.
    others: watch::Sender<u64>,
}

impl News {
    fn tell(&self) {
        self.turns.notify_one();
        self.others.send_modify(|count| *count += 1);
    }
}

struct Attended {
    name: String,
    node: Arc<OverLink>,
    /// Ends the stream when the machine is none of the zone's any more.
    _until_gone: DropGuard,
}

impl JobNodes {
    /// Begins to listen to the zone's machines; `tasks` ends that.
    #[must_use]
    pub fn start(nodes: nodes::Handle, machines: Machines, tasks: &Tasks) -> Self {
        let mut joined = nodes.watch();
        let inner = Arc::new(Inner {
            nodes,
            machines,
            tasks: tasks.clone(),
            known: Mutex::default(),
            news: Arc::default(),
        });
        let (news, stop) = (Arc::clone(&inner.news), tasks.token());
        tasks.spawn("agent.jobs", Policy::StopAll, async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = joined.changed() => news.tell(),
                }
            }
        });
        Self(inner)
    }

    /// What each node that was heard of offers.
    #[must_use]
    pub fn capacities(&self) -> Vec<Capacity> {
        let known = self.0.known();
        known.values().filter_map(|one| one.node.capacity()).collect()
    }

    /// As [`Machines::alarms`].
    #[must_use]
    pub fn alarms(&self) -> Vec<String> {
        self.0.machines.alarms()
    }

    /// Waits until this machine can take jobs.
    ///
    /// # Errors
    /// The zone's machines cannot be read.
    pub async fn until_present(&self, node: NodeId) -> Result<(), Error> {
        let mut news = self.0.news.others.subscribe();
        loop {
            news.mark_unchanged();
            self.0.list().await?;
            let is_present = |one: &Attended| one.node.is_present();
            if self.0.known().get(&node).is_some_and(is_present) || news.changed().await.is_err() {
                return Ok(());
            }
        }
    }
}

impl Nodes for JobNodes {
    fn all(&self) -> BoxFuture<'_, Result<Vec<Known>, Error>> {
        Box::pin(self.0.list())
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.0.news.turns.notified())
    }
}

impl Inner {
    fn known(&self) -> MutexGuard<'_, BTreeMap<NodeId, Attended>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads which machines there are, begins to listen to new ones and stops listening to those that are gone.
    async fn list(&self) -> Result<Vec<Known>, Error> {
        let named = self.nodes.names().await.map_err(|error| Error::Away {
            kind: error.kind(),
            text: model::chain(&error),
        })?;
        let own = self.nodes.own();
        let mut known = self.known();
        known.retain(|id, _| named.contains_key(id));
        for (id, name) in named {
            known
                .entry(id)
                .or_insert_with(|| self.attend(id, name.to_string()));
        }
        let listed = known.iter().map(|(id, one)| Known {
            name: one.name.clone(),
            is_usual: own == Some(*id),
            node: Arc::<OverLink>::clone(&one.node),
        });
        Ok(listed.collect())
    }

    fn attend(&self, id: NodeId, name: String) -> Attended {
        let node = Arc::new(OverLink {
            name: name.clone(),
            client: JobAgentServiceClient::new(self.machines.reach(id)),
            heard: Mutex::default(),
            news: Notify::new(),
        });
        let stop = self.tasks.token().child_token();
        let listener = Listener {
            id,
            node: Arc::clone(&node),
            machines: self.machines.clone(),
            news: Arc::clone(&self.news),
            stop: stop.clone(),
        };
        let task = format!("agent.jobs {name}");
        self.tasks.spawn(task, Policy::MayEnd, listener.run());
        Attended {
            name,
            node,
            _until_gone: stop.drop_guard(),
        }
    }
}

/// Hears of one machine that it has news.
struct Listener {
    id: NodeId,
    node: Arc<OverLink>,
    machines: Machines,
    news: Arc<News>,
    stop: CancellationToken,
}

impl Listener {
    async fn run(self) {
        let stop = self.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.listen() => {}
        }
        self.set_present(false);
    }

    async fn listen(&self) {
        let mut links = self.machines.changes();
        let (first, longest) = AGAIN;
        let mut backoff = Backoff::new(first, longest);
        loop {
            links.mark_unchanged();
            if !self.machines.is_present(self.id) {
                if links.changed().await.is_err() {
                    return;
                }
                continue;
            }
            match self.hear(&mut backoff).await {
                Ok(()) => tracing::debug!(
                    node = self.node.name,
                    "a node ended its stream of news about jobs"
                ),
                Err(status) => {
                    tracing::debug!(node = self.node.name, %status, "a node does not tell of its jobs");
                }
            }
            self.set_present(false);
            tokio::time::sleep(backoff.next_wait(0.0)).await;
        }
    }

    async fn hear(&self, backoff: &mut Backoff) -> Result<(), Status> {
        let mut client = self.node.client.clone();
        let answers = client.watch_jobs(v1::WatchJobsRequest {}).await?;
        let mut answers = answers.into_inner();
        while let Some(answer) = answers.message().await? {
            backoff.reset();
            if let Some(capacity) = answer.capacity {
                let capacity = job_form::decode_capacity(capacity, &self.node.name);
                self.node.heard().capacity = Some(capacity);
            }
            self.set_present(true);
            self.node.news.notify_one();
        }
        Ok(())
    }

    fn set_present(&self, present: bool) {
        let before = std::mem::replace(&mut self.node.heard().is_present, present);
        if before != present {
            self.news.tell();
        }
    }
}

/// One machine as a node for jobs.
struct OverLink {
    name: String,
    client: JobAgentServiceClient<Reach>,
    heard: Mutex<Heard>,
    news: Notify,
}

/// What its stream told last.
#[derive(Default)]
struct Heard {
    capacity: Option<Capacity>,
    is_present: bool,
}

impl OverLink {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn away(status: &Status) -> Error {
    Error::Away {
        kind: wire::kind(status.code()).unwrap_or(ErrorKind::Internal),
        text: status.message().to_owned(),
    }
}

impl OnNode for OverLink {
    fn capacity(&self) -> Option<Capacity> {
        self.heard().capacity.clone()
    }

    fn is_present(&self) -> bool {
        self.heard().is_present
    }

    fn start(&self, order: Order) -> BoxFuture<'_, Result<(), Error>> {
        let (mut client, request) = (self.client.clone(), job_form::encode_order(order));
        Box::pin(async move {
            let started = client.start_job(rpc::within(request, STEP)).await;
            started.map(drop).map_err(|status| away(&status))
        })
    }

    fn end(&self, job: JobId) -> BoxFuture<'_, Result<(), Error>> {
        let (mut client, job_id) = (self.client.clone(), job.to_string());
        Box::pin(async move {
            let ended = client
                .end_job(rpc::within(v1::EndJobRequest { job_id }, STEP))
                .await;
            ended.map(drop).map_err(|status| away(&status))
        })
    }

    fn observe(&self) -> BoxFuture<'_, Result<Vec<Report>, Error>> {
        let mut client = self.client.clone();
        Box::pin(async move {
            let listed = client.list_jobs(rpc::within(v1::ListJobsRequest {}, LOOK)).await;
            let listed = listed.map_err(|status| away(&status))?.into_inner();
            let reports: Option<Vec<Report>> = listed.jobs.into_iter().map(job_form::decode_report).collect();
            reports.ok_or_else(|| Error::Away {
                kind: ErrorKind::Unimplemented,
                text: "the node tells of its jobs in a way that this server does not know".to_owned(),
            })
        })
    }

    fn forget(&self, job: JobId) -> BoxFuture<'_, Result<(), Error>> {
        let (mut client, job_id) = (self.client.clone(), job.to_string());
        Box::pin(async move {
            let forgotten = client
                .forget_job(rpc::within(v1::ForgetJobRequest { job_id }, STEP))
                .await;
            forgotten.map(drop).map_err(|status| away(&status))
        })
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.news.notified())
    }

    fn read(&self, account: &Account, path: &str, offset: u64) -> BoxStream<'static, Result<Bytes, Error>> {
        let mut client = self.client.clone();
        let request = v1::ReadOutputRequest {
            account: Some(account::encode(account)),
            path: path.to_owned(),
            offset,
        };
        let path = path.to_owned();
        let chunks = async move {
            let opened = client.read_output(request).await;
            opened.map(tonic::Response::into_inner)
        };
        let failed = move |status: Status| Error::Output {
            path: path.clone(),
            kind: wire::kind(status.code()).unwrap_or(ErrorKind::Internal),
            source: status.message().into(),
        };
        let chunks = stream::once(chunks).flat_map(|opened| match opened {
            Ok(answers) => answers.boxed(),
            Err(status) => stream::iter([Err(status)]).boxed(),
        });
        chunks
            .map(move |answer| answer.map(|answer| answer.chunk).map_err(&failed))
            .boxed()
    }
}
