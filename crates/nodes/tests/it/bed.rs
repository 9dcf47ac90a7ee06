//! A zone with machines for each test, and a clock that moves when told.

use std::sync::Arc;

use access::{
    Access, Action, Actor, Credential, NodeActor, NodePermit, Parts, Peer, Permit, Proof, Secret,
    SystemPermit,
};
use model::{Span, Timestamp};
use nodes::{Config, Error, Handle, Joined, MakeToken, TokenFault, TokenWish, Wish};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::CertificateDer;
use store::{Engine, Store};
use tasks::{Clock, Tasks};
use tempfile::TempDir;

pub(crate) struct Bed {
    pub(crate) nodes: Handle,
    pub(crate) access: Access,
    pub(crate) clock: Clock,
    pub(crate) owner: Actor,
    store: Store,
    tasks: Tasks,
    config: Config,
    engine: Engine,
    dir: Arc<TempDir>,
}

/// The keys of a machine.
pub(crate) struct Machine {
    pub(crate) key: KeyPair,
    pub(crate) device: Vec<u8>,
    pub(crate) overlay: Vec<u8>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        // Any bytes are a key to those who only store it.
        let raw = || KeyPair::generate().expect("a key").public_key_raw()[1..33].to_vec();
        Self {
            key: KeyPair::generate().expect("a key"),
            device: raw(),
            overlay: raw(),
        }
    }

    pub(crate) fn request(&self) -> Vec<u8> {
        let request = CertificateParams::default().serialize_request(&self.key);
        request.expect("a request").der().to_vec()
    }

    pub(crate) fn wish(&self, token: &str, name: &str) -> Wish {
        Wish {
            token: Secret::from(token.to_owned()),
            name: name.to_owned(),
            request: self.request(),
            device_key: self.device.clone(),
            overlay_key: self.overlay.clone(),
        }
    }
}

pub(crate) fn peer() -> Peer {
    Peer::new(Some("192.0.2.7".parse().expect("an address")), "test")
}

/// Why a token was not taken.
pub(crate) fn token_fault(joined: Result<Joined, Error>) -> TokenFault {
    match joined {
        Err(Error::Token { fault }) => fault,
        Ok(joined) => panic!("joined as {}", joined.node.name),
        Err(other) => panic!("{other}: {:?}", std::error::Error::source(&other)),
    }
}

async fn open(
    engine: &Engine,
    dir: &TempDir,
    clock: &Clock,
    config: &Config,
) -> (Tasks, Store, Access, Handle) {
    let tasks = Tasks::new();
    let migrations = [access::MIGRATIONS, nodes::MIGRATIONS].concat();
    let engine = engine.clone();
    let store = Store::open(&store::Config { engine }, &migrations, &tasks)
        .await
        .expect("a store");
    let access = Access::start(Parts {
        store: store.clone(),
        tasks: tasks.child(),
        clock: clock.clone(),
        keys_dir: dir.path().join("keys"),
        zone_host: "soke.localhost".to_owned(),
        config: access::Config::default(),
    });
    let access = access.await.expect("a zone");
    let nodes = nodes::start(nodes::Parts {
        store: store.clone(),
        access: access.clone(),
        tasks: tasks.child(),
        clock: clock.clone(),
        config: config.clone(),
    });
    (tasks, store, access, nodes.await.expect("nodes"))
}

impl Bed {
    pub(crate) async fn new() -> Bed {
        Bed::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Bed {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("zone.db");
        Bed::on(Engine::Sqlite { path }, dir, config).await
    }

    /// A zone in a database of its own on the tests' PostgreSQL server.
    pub(crate) async fn postgres() -> Bed {
        let address = tokio::task::block_in_place(|| testbed::Postgres::shared().database());
        let engine = Engine::Postgres {
            url: address.expect("a database"),
            connections: 8,
        };
        let dir = tempfile::tempdir().expect("a folder");
        Bed::on(engine, dir, Config::default()).await
    }

    async fn on(engine: Engine, dir: TempDir, config: Config) -> Bed {
        let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
        let (tasks, store, access, nodes) = open(&engine, &dir, &clock, &config).await;
        let code = access.first_owner("ada").await.expect("made").expect("a code");
        let signed_in = access.sign_in(Proof::LinkCode(code), &peer()).await;
        let token = signed_in.map_err(|error| error.to_string()).expect("signed in");
        let owner = access
            .authenticate(Credential::Bearer(token.access_token), &peer())
            .await;
        Bed {
            owner: owner.expect("good"),
            nodes,
            access,
            clock,
            store,
            tasks,
            config,
            engine,
            dir: Arc::new(dir),
        }
    }

    /// The same zone with a server that was started anew.
    pub(crate) async fn restarted(self) -> Bed {
        let Bed {
            clock,
            owner,
            store,
            tasks,
            config,
            engine,
            dir,
            nodes,
            access,
        } = self;
        drop((nodes, access));
        tasks.stop(std::time::Duration::from_secs(20)).await;
        store.close().await;
        let (tasks, store, access, nodes) = open(&engine, &dir, &clock, &config).await;
        Bed {
            nodes,
            access,
            clock,
            owner,
            store,
            tasks,
            config,
            engine,
            dir,
        }
    }

    pub(crate) async fn permit<A: Action>(&self) -> Permit<A> {
        self.access.permit::<A>(&self.owner, &peer()).await.expect("may")
    }

    pub(crate) async fn token(&self, wish: TokenWish) -> Secret {
        let permit = self.permit::<MakeToken>().await;
        self.nodes.make_token(&permit, &wish).await.expect("made").1
    }

    pub(crate) async fn join(&self, machine: &Machine, token: &Secret, name: &str) -> Result<Joined, Error> {
        self.nodes
            .join(&peer(), &machine.wish(token.expose(), name))
            .await
    }

    /// A machine that joined with a token of its own.
    pub(crate) async fn joined(&self, name: &str) -> (Machine, Joined) {
        let (machine, token) = (Machine::new(), self.token(TokenWish::default()).await);
        let joined = self.join(&machine, &token, name).await.expect("joined");
        (machine, joined)
    }

    pub(crate) async fn recognised(
        &self,
        certificate: &CertificateDer<'_>,
    ) -> Result<NodeActor, access::Error> {
        self.access.authenticate_node(certificate, &peer()).await
    }

    pub(crate) async fn node_permit<A: Action>(&self, joined: &Joined) -> NodePermit<A> {
        let node = self
            .recognised(&joined.certificate.chain[0])
            .await
            .expect("known");
        self.access.permit_node::<A>(&node, &peer()).await.expect("may")
    }

    pub(crate) async fn names(&self) -> Vec<String> {
        let permit = self.permit::<nodes::List>().await;
        let page = self.nodes.list(&permit, 1000, None).await.expect("listed");
        page.nodes.iter().map(|node| node.name.to_string()).collect()
    }

    pub(crate) async fn count(&self, sql: &'static str) -> u64 {
        let system = SystemPermit::new("test.count");
        let count = system.read::<_, store::Error, _>(&self.store, move |tx| {
            tx.row(sql, &[])?.map_or(Ok(0), |row| row.get(0))
        });
        count.await.expect("it runs")
    }

    pub(crate) fn pass(&self, span: Span) {
        self.clock.advance(span);
    }
}
