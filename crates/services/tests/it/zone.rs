//! The slice as a whole for one test: a store, permits, the reconciler, and machines.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use access::{Access, Action, Actor, Credential, NewUser, Peer, Permit, Proof, Secret, SignedIn};
use model::{Name, Span};
use services::{
    Config, Deploy, Endpoint, Error, Get, Handle, Restart, Service, State, Stop, Use, Which, node::Nodes,
};
use store::{Engine, Store};
use tasks::{Clock, Tasks};
use tempfile::TempDir;

use crate::machine::{Machine, Machines, SOON};

pub(crate) struct Zone {
    pub(crate) services: Handle,
    pub(crate) ada: Actor,
    pub(crate) bob: Actor,
    pub(crate) machines: Vec<Arc<Machine>>,
    access: Access,
    store: Store,
    tasks: Tasks,
    config: Config,
    _folder: TempDir,
}

pub(crate) fn peer() -> Peer {
    Peer::new(None, "test")
}

async fn actor(access: &Access, code: Secret) -> Actor {
    let signed_in: SignedIn = access
        .sign_in(Proof::LinkCode(code), &peer())
        .await
        .expect("signed in");
    let bearer = Credential::Bearer(signed_in.access_token);
    access.authenticate(bearer, &peer()).await.expect("known")
}

/// The owner ada, the member bob, and one machine; short waits.
pub(crate) async fn zone() -> Zone {
    zone_with(&["here"], |_config| {}).await
}

pub(crate) async fn zone_with(names: &[&str], change: impl FnOnce(&mut Config)) -> Zone {
    let sqlite = |folder: &std::path::Path| Engine::Sqlite {
        path: folder.join("zone.db"),
    };
    zone_on(names, sqlite, change).await
}

pub(crate) async fn zone_on(
    names: &[&str],
    engine: impl FnOnce(&std::path::Path) -> Engine,
    change: impl FnOnce(&mut Config),
) -> Zone {
    let mut machines = Vec::new();
    for name in names {
        machines.push(Arc::new(Machine::new(name).await));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tasks = Tasks::new();
    let engine = engine(folder.path());
    let migrations = [access::MIGRATIONS, services::MIGRATIONS].concat();
    let opened = store::Config { engine };
    let store = Store::open(&opened, &migrations, &tasks).await.expect("a store");
    let access = Access::start(access::Parts {
        store: store.clone(),
        tasks: tasks.clone(),
        clock: Clock::system(),
        keys_dir: folder.path().join("keys"),
        zone_host: "soke.localhost".to_owned(),
        config: access::Config::default(),
    })
    .await
    .expect("access");
    let code = access.first_owner("ada").await.expect("made").expect("a code");
    let ada = actor(&access, code).await;
    let permit = access.permit(&ada, &peer()).await.expect("the owner may");
    let wanted = NewUser {
        name: "bob".to_owned(),
        ..NewUser::default()
    };
    let (_, code) = access.create_user(&permit, &wanted).await.expect("made");
    let bob = actor(&access, code).await;
    let mut config = Config {
        default_memory_bytes: 128 << 20,
        most_unfinished: 5,
        restart: Restart {
            first: Span::from_micros(100_000),
            longest: Span::from_micros(400_000),
            steady: Span::from_secs(60),
        },
        ..Config::default()
    };
    change(&mut config);
    let slice = tasks.child();
    let services = start(&store, &slice, &machines, &config).await;
    Zone {
        services,
        ada,
        bob,
        machines,
        access,
        store,
        tasks: slice,
        config,
        _folder: folder,
    }
}

async fn start(store: &Store, tasks: &Tasks, machines: &[Arc<Machine>], config: &Config) -> Handle {
    let nodes: Arc<dyn Nodes> = Arc::new(Machines(machines.to_vec()));
    services::start(services::Parts {
        store: store.clone(),
        tasks: tasks.clone(),
        clock: Clock::system(),
        nodes,
        config: config.clone(),
    })
    .await
    .expect("services")
}

impl Zone {
    pub(crate) async fn permit<A: Action>(&self, actor: &Actor) -> Permit<A> {
        self.access.permit(actor, &peer()).await.expect("permitted")
    }

    pub(crate) async fn deploy(&self, actor: &Actor, text: &str) -> Result<Service, Error> {
        let permit = self.permit::<Deploy>(actor).await;
        self.services.deploy(permit, text.to_owned(), None).await
    }

    pub(crate) async fn deploy_on(&self, node: &str, text: &str) -> Result<Service, Error> {
        let permit = self.permit::<Deploy>(&self.ada).await;
        let node: Name = node.parse().expect("a name");
        self.services.deploy(permit, text.to_owned(), Some(node)).await
    }

    pub(crate) async fn get(&self, actor: &Actor, which: Which) -> Result<Service, Error> {
        let permit = self.permit::<Get>(actor).await;
        self.services.get(&permit, which).await
    }

    pub(crate) async fn stop(&self, actor: &Actor, which: Which) -> Result<Service, Error> {
        let permit = self.permit::<Stop>(actor).await;
        self.services.stop(permit, which).await
    }

    pub(crate) async fn endpoint(&self, actor: &Actor, which: Which) -> Result<Endpoint, Error> {
        let permit = self.permit::<Use>(actor).await;
        self.services.endpoint(&permit, which).await
    }

    /// Deploys for ada and waits until it is ready.
    pub(crate) async fn ready(&self, text: &str) -> Service {
        let service = self.deploy(&self.ada, text).await.expect("deployed");
        let permit = self.permit::<Get>(&self.ada).await;
        let ready = self.services.ready(&permit, service.id, SOON).await;
        ready.unwrap_or_else(|fault| panic!("{}: {}", model::chain(&fault), self.machines[0].log("web.log")))
    }

    /// Stops one of ada's and waits until it is.
    pub(crate) async fn stopped(&self, name: &str) -> Service {
        let service = self.stop(&self.ada, named(name)).await.expect("stopped");
        self.until(&service, |service| service.state == State::Stopped)
            .await
    }

    pub(crate) async fn until(&self, service: &Service, fits: impl Fn(&Service) -> bool) -> Service {
        let mut last = service.clone();
        let found = testbed::eventually(SOON, async || {
            last = self.get(&self.ada, Which::Id(service.id)).await.expect("there");
            fits(&last)
        });
        assert!(found.await, "{last:?}");
        last
    }

    /// The same zone after a restart of the server.
    pub(crate) async fn again(mut self, with_agents: bool) -> Self {
        self.tasks.stop(SOON).await;
        if with_agents {
            let mut machines = Vec::new();
            for machine in &self.machines {
                machines.push(Arc::new(machine.again().await));
            }
            self.machines = machines;
        }
        self.tasks = Tasks::new();
        self.services = start(&self.store, &self.tasks, &self.machines, &self.config).await;
        self
    }
}

pub(crate) fn named(name: &str) -> Which {
    Which::Named(name.parse().expect("a name"))
}

/// A real web server that shows the folder `site` of its owner.
pub(crate) fn web(name: &str) -> String {
    format!(
        "kind: Process\nname: {name}\nworking_directory: site\nhealth_path: /\n\
        command: |\n  exec python3 -u -m http.server --bind 127.0.0.1 $PORT\n"
    )
}

/// Asks a port of this machine over HTTP; gives the whole answer.
pub(crate) fn ask(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
