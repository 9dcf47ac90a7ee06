//! A zone that machines can join over TLS, and machines.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use access::{Access, Action, Actor, Credential, Parts, Peer, Permit, Proof, Secret};
use agent::{
    Machines,
    node::{Error, Invitation, Machine, Member, Ports, Settings},
};
use futures::future::BoxFuture;
use model::{ServiceId, Span};
use nodes::{Handle, MakeToken, TokenWish};
use rpc::{
    CallLimits, Calls, Limits, ListenAddress, Listener, Security, Serving, TlsSource,
    link::{Pace, Reach},
};
use store::{Engine, Store};
use tasks::{Clock, Policy, Tasks};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tonic::{Request, Response, Status, service::Routes};
use wire::soke::agent::v1::{
    self,
    job_agent_service_client::JobAgentServiceClient,
    job_agent_service_server::{JobAgentService, JobAgentServiceServer},
};

pub(crate) const SOON: Duration = Duration::from_secs(40);

pub(crate) struct Zone {
    pub(crate) access: Access,
    pub(crate) nodes: Handle,
    pub(crate) machines: Machines,
    pub(crate) tasks: Tasks,
    pub(crate) serving: Serving,
    owner: Actor,
    _dir: TempDir,
}

fn peer() -> Peer {
    Peer::new(None, "test")
}

/// The TLS settings of a listener under this zone's authority.
pub(crate) fn tls(access: &Access) -> Security {
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let certificate = access
        .zone()
        .issue_server_certificate(&names)
        .expect("a certificate");
    let settings = certificate.settings(&[b"h2".to_vec()]).expect("settings");
    Security::Tls(TlsSource::new(settings))
}

impl Zone {
    pub(crate) async fn new() -> Self {
        Self::with(access::Config::default()).await
    }

    pub(crate) async fn with(config: access::Config) -> Self {
        let (dir, tasks, clock) = (
            tempfile::tempdir().expect("a folder"),
            Tasks::new(),
            Clock::system(),
        );
        let path = dir.path().join("zone.db");
        let engine = Engine::Sqlite { path };
        let migrations = [access::MIGRATIONS, nodes::MIGRATIONS].concat();
        let store = Store::open(&store::Config { engine }, &migrations, &tasks)
            .await
            .expect("a store");
        let access = Access::start(Parts {
            store: store.clone(),
            tasks: tasks.clone(),
            clock: clock.clone(),
            keys_dir: dir.path().join("keys"),
            zone_host: "soke.localhost".to_owned(),
            config,
        });
        let access = access.await.expect("a zone");
        let nodes = nodes::start(nodes::Parts {
            store,
            access: access.clone(),
            tasks: tasks.clone(),
            clock,
            config: nodes::Config::default(),
        });
        let nodes = nodes.await.expect("nodes");
        let code = access.first_owner("ada").await.expect("made").expect("a code");
        let signed_in = access.sign_in(Proof::LinkCode(code), &peer()).await;
        let token = signed_in.map_err(|error| error.to_string()).expect("signed in");
        let owner = access
            .authenticate(Credential::Bearer(token.access_token), &peer())
            .await;
        let mut routes = Routes::builder();
        let parts = agent::Parts {
            access: access.clone(),
            nodes: nodes.clone(),
        };
        agent::add_to(&mut routes, parts);
        let calls = Calls::new(routes.routes(), CallLimits::default());
        let machines = Machines::new();
        let door = agent::door(&access, &machines).expect("a door");
        let listener = Listener::bind(ListenAddress::loopback(0), tls(&access))
            .await
            .expect("bound");
        let serving = rpc::serve(listener.with_links(door), calls, &tasks, Limits::default());
        Self {
            access,
            nodes,
            machines,
            tasks,
            serving,
            owner: owner.expect("good"),
            _dir: dir,
        }
    }

    pub(crate) async fn permit<A: Action>(&self) -> Permit<A> {
        self.access.permit::<A>(&self.owner, &peer()).await.expect("may")
    }

    pub(crate) async fn token(&self) -> Secret {
        let permit = self.permit::<MakeToken>().await;
        self.nodes
            .make_token(&permit, &TokenWish::default())
            .await
            .expect("made")
            .1
    }

    pub(crate) async fn invitation(&self, name: &str) -> Invitation {
        Invitation {
            server: self.serving.address().to_string(),
            token: self.token().await,
            name: name.to_owned(),
        }
    }

    pub(crate) async fn listed(&self) -> Vec<(String, bool)> {
        let permit = self.permit::<nodes::List>().await;
        let page = self.nodes.list(&permit, 100, None).await.expect("listed");
        page.nodes
            .into_iter()
            .map(|node| (node.name.to_string(), node.is_live))
            .collect()
    }

    pub(crate) fn reached(&self, node_id: &str) -> JobAgentServiceClient<Reach> {
        JobAgentServiceClient::new(self.machines.reach(node_id.parse().expect("an id")))
    }

    pub(crate) async fn until_linked(&self, node_id: &str, present: bool) {
        let node = node_id.parse().expect("an id");
        let stands = testbed::eventually(SOON, async || self.machines.is_present(node) == present).await;
        assert!(stands, "{node_id} is not as expected: {present}");
    }
}

/// What a machine does for its zone in these tests: it counts.
#[derive(Clone, Default)]
pub(crate) struct Work(pub(crate) Arc<AtomicUsize>);

#[tonic::async_trait]
impl JobAgentService for Work {
    async fn list_jobs(
        &self,
        _request: Request<v1::ListJobsRequest>,
    ) -> Result<Response<v1::ListJobsResponse>, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new(v1::ListJobsResponse::default()))
    }
}

/// A machine with a folder of its own.
pub(crate) struct Computer {
    pub(crate) tasks: Tasks,
    pub(crate) work: Work,
    pub(crate) ports: OpenPorts,
    dir: TempDir,
}

/// The ports of services that a machine runs in these tests.
#[derive(Clone, Default)]
pub(crate) struct OpenPorts(pub(crate) Arc<Mutex<BTreeSet<(ServiceId, u16)>>>);

impl Ports for OpenPorts {
    fn has(&self, service: ServiceId, port: u16) -> BoxFuture<'_, bool> {
        let has = self.0.lock().expect("whole").contains(&(service, port));
        Box::pin(std::future::ready(has))
    }
}

impl Computer {
    pub(crate) fn new() -> Self {
        Self {
            tasks: Tasks::new(),
            work: Work::default(),
            ports: OpenPorts::default(),
            dir: tempfile::tempdir().expect("a folder"),
        }
    }

    /// Another machine with a copy of this one's file.
    pub(crate) fn copied(&self) -> Self {
        let copy = Self::new();
        std::fs::create_dir_all(copy.file().parent().expect("a folder")).expect("made");
        std::fs::copy(self.file(), copy.file()).expect("copied");
        copy
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("node").join("node.toml")
    }

    pub(crate) async fn join(&self, invitation: &Invitation) -> Result<Member, Error> {
        agent::node::join(&self.file(), invitation, &Clock::system()).await
    }

    pub(crate) fn member(&self) -> Member {
        agent::node::read(&self.file()).expect("joined")
    }

    /// Keeps the link in the background; the receiver hears how that ended.
    pub(crate) fn keep(&self) -> oneshot::Receiver<Result<(), Error>> {
        let (send, receive) = oneshot::channel();
        let (file, tasks) = (self.file(), self.tasks.clone());
        let mut services = Routes::builder();
        services.add_service(JobAgentServiceServer::new(self.work.clone()));
        agent::node::add_tunnels(&mut services, Arc::new(self.ports.clone()), &self.tasks);
        let calls = agent::node::work(services);
        self.tasks.spawn("keep", Policy::MayEnd, async move {
            let machine = Machine {
                version: "0.1.0".to_owned(),
                cores: 2,
                memory_bytes: 1 << 30,
            };
            let settings = Settings {
                pace: Pace {
                    first_wait: Duration::from_millis(20),
                    longest_wait: Duration::from_millis(200),
                    ..Pace::default()
                },
                heartbeat: Duration::from_millis(100),
                ..Settings::default()
            };
            let clock = Clock::system();
            let kept = agent::node::keep(file, machine, &settings, &calls, &clock, &tasks);
            drop(send.send(kept.await));
        });
        receive
    }
}

/// Certificates of so few seconds that their renewal, after 10 of them, can be waited for.
pub(crate) fn short_lived() -> access::Config {
    access::Config {
        certificate_life: Span::from_secs(20),
        ..access::Config::default()
    }
}
