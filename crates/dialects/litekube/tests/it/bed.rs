//! A zone with LiteKube's doors, its administrator, and clients with certificates.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use access::{
    Access, Action, Actor, Asked, Credential, Parts, Peer, Permit, Proof, Secret, Subject, SystemPermit,
    session,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use litekube::{Config, Handle, Numbering};
use model::{NodeId, Span};
use rcgen::{CertificateParams, KeyPair};
use rpc::{Channel, Identity, Limits, ListenAddress, Target, TlsSource, Trust, link::Holder};
use rustls_pki_types::PrivateKeyDer;
use store::{Engine, Store};
use tasks::{Clock, Tasks};
use tempfile::TempDir;
use tonic::{Code, Request};
use wire::pb::{
    self, lite_kube_nc_bootstrap_service_client::LiteKubeNcBootstrapServiceClient,
    lite_kube_nc_service_client::LiteKubeNcServiceClient,
};

pub(crate) type Control = LiteKubeNcServiceClient<Channel>;
pub(crate) type Bootstrap = LiteKubeNcBootstrapServiceClient<Channel>;

/// How the doors are set.
#[derive(Clone)]
pub(crate) struct Wish {
    pub(crate) numbering: Numbering,
    pub(crate) token_uses: u32,
    pub(crate) strangers: bool,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            numbering: Numbering::Later,
            token_uses: 1,
            strangers: false,
        }
    }
}

pub(crate) struct Zone {
    pub(crate) access: Access,
    pub(crate) nodes: nodes::Handle,
    pub(crate) doors: Handle,
    pub(crate) clock: Clock,
    pub(crate) bearer: Secret,
    owner: Actor,
    store: Store,
    present: Arc<Mutex<BTreeSet<NodeId>>>,
    _tasks: Tasks,
    _dir: TempDir,
}

pub(crate) fn peer() -> Peer {
    Peer::new(Some("192.0.2.7".parse().expect("an address")), "test")
}

impl Zone {
    pub(crate) async fn new() -> Self {
        Self::with(Wish::default()).await
    }

    pub(crate) async fn with(wish: Wish) -> Self {
        let (dir, tasks) = (tempfile::tempdir().expect("a folder"), Tasks::new());
        // Certificates are judged by the machine's clock as well, so this one begins where that one stands.
        let clock = Clock::manual(Clock::system().now());
        let path = dir.path().join("zone.db");
        let engine = Engine::Sqlite { path };
        let migrations = [access::MIGRATIONS, nodes::MIGRATIONS].concat();
        let config = store::Config { engine };
        let store = Store::open(&config, &migrations, &tasks).await.expect("a store");
        let access = Access::start(Parts {
            store: store.clone(),
            tasks: tasks.clone(),
            clock: clock.clone(),
            keys_dir: dir.path().join("keys"),
            zone_host: "soke.localhost".to_owned(),
            config: access::Config {
                strangers: wish.strangers,
                ..access::Config::default()
            },
        });
        let access = access.await.expect("a zone");
        let nodes = nodes::start(nodes::Parts {
            store: store.clone(),
            access: access.clone(),
            tasks: tasks.clone(),
            clock: clock.clone(),
            config: nodes::Config::default(),
        });
        let nodes = nodes.await.expect("nodes");
        let code = access.first_owner("ada").await.expect("made").expect("a code");
        let signed_in = access.sign_in(Proof::LinkCode(code), &peer()).await;
        let token = signed_in.map_err(|error| error.to_string()).expect("signed in");
        let bearer = Secret::from(token.access_token.expose().to_owned());
        let owner = access
            .authenticate(Credential::Bearer(token.access_token), &peer())
            .await;
        let present: Arc<Mutex<BTreeSet<NodeId>>> = Arc::default();
        let doors = doors(&wish, &access, &nodes, &present, &tasks).await;
        Self {
            access,
            nodes,
            doors,
            clock,
            bearer,
            owner: owner.expect("good"),
            store,
            present,
            _tasks: tasks,
            _dir: dir,
        }
    }

    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        let bound = self.doors.bound();
        bound
            .into_iter()
            .find(|one| one.name == name)
            .expect("open")
            .address
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::Authority {
            pem: self.access.zone().ca_pem().to_owned(),
        }
    }

    pub(crate) async fn permit<A: Action>(&self) -> Permit<A> {
        self.access.permit::<A>(&self.owner, &peer()).await.expect("may")
    }

    /// A certificate of the zone's owner.
    pub(crate) async fn admin(&self) -> Holder {
        let key = KeyPair::generate().expect("a key");
        let request = CertificateParams::default()
            .serialize_request(&key)
            .expect("a request");
        let subject = Subject {
            organization: "lknm:register".to_owned(),
            common_name: "register-client".to_owned(),
        };
        let permit = self.permit::<session::Certify>().await;
        let given = self.access.certify(&permit, request.der(), &subject).await;
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        Holder::new(Identity::new(given.expect("given").chain, key)).expect("they fit")
    }

    /// The control service as whoever holds this certificate.
    pub(crate) async fn control(&self, holder: &Holder) -> Control {
        let target = Target::from(self.address("litekube.control"));
        let channel = rpc::connect_as(&target, &self.trust(), holder).await;
        Control::new(channel.expect("it answers"))
    }

    /// The control service as an administrator.
    pub(crate) async fn as_admin(&self) -> Control {
        self.control(&self.admin().await).await
    }

    /// The bootstrap service as nobody.
    pub(crate) async fn bootstrap(&self) -> Bootstrap {
        let target = Target::from(self.address("litekube.bootstrap"));
        let channel = rpc::connect(&target, &self.trust()).await;
        Bootstrap::new(channel.expect("it answers"))
    }

    /// A machine that was registered through both doors.
    pub(crate) async fn registered(&self) -> pb::GetTokenResponse {
        let token = bootstrap_token(&mut self.as_admin().await, 0).await;
        let answer = get_token(&mut self.bootstrap().await, &token).await;
        assert_eq!((answer.code.as_str(), answer.message.as_str()), ("200", "ok"));
        answer
    }

    /// The id of the machine with this word.
    pub(crate) async fn id_of(&self, word: &str) -> NodeId {
        let permit = self.permit::<nodes::List>().await;
        self.nodes.find_by_word(&permit, word).await.expect("there").id
    }

    /// Says whether a machine has a link now.
    pub(crate) fn set_present(&self, node: NodeId, is_present: bool) {
        let mut present = self.present.lock().expect("nobody panics");
        if is_present {
            present.insert(node);
        } else {
            present.remove(&node);
        }
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

async fn doors(
    wish: &Wish,
    access: &Access,
    nodes: &nodes::Handle,
    present: &Arc<Mutex<BTreeSet<NodeId>>>,
    tasks: &Tasks,
) -> Handle {
    let names = ["localhost", "127.0.0.1"].map(str::to_owned).to_vec();
    let tls = |asked| {
        let settings = access.server_tls_asking(names.clone(), vec![b"h2".to_vec()], asked);
        TlsSource::new(settings.expect("settings").borrow().clone())
    };
    let stranger = match wish.strangers {
        true => {
            let name = "stranger".parse().expect("a name");
            Some(access.admit_strangers(&name, &peer()).await.expect("admitted"))
        }
        false => None,
    };
    let present = Arc::clone(present);
    let doors = litekube::start(litekube::Parts {
        config: Config {
            bootstrap: ListenAddress::loopback(0),
            control: ListenAddress::loopback(0),
            numbering: wish.numbering,
            token_uses: wish.token_uses,
            told_host: "127.0.0.1".to_owned(),
            network_port: 6441,
            limits: Limits::default(),
        },
        access: access.clone(),
        nodes: nodes.clone(),
        presence: Arc::new(move |node| present.lock().expect("nobody panics").contains(&node)),
        bootstrap_tls: tls(Asked::Welcome),
        control_tls: tls(Asked::Wanted),
        stranger,
        tasks: tasks.clone(),
    });
    doors.await.expect("the doors open")
}

/// A bootstrap token that lives this many minutes.
pub(crate) async fn bootstrap_token(control: &mut Control, expire_time: i64) -> String {
    let request = pb::GetBootStrapTokenRequest { expire_time };
    let answer = control
        .get_boot_strap_token(request)
        .await
        .expect("answered")
        .into_inner();
    assert_eq!((answer.code.as_str(), answer.message.as_str()), ("200", "ok"));
    answer.boot_strap_token
}

pub(crate) async fn get_token(bootstrap: &mut Bootstrap, token: &str) -> pb::GetTokenResponse {
    let request = pb::GetTokenRequest {
        boot_strap_token: token.to_owned(),
    };
    bootstrap.get_token(request).await.expect("answered").into_inner()
}

pub(crate) async fn state(control: &mut Control, token: &str) -> Result<pb::CheckConnResponse, Code> {
    let token = token.to_owned();
    let answer = control
        .check_conn_state(pb::CheckConnStateRequest { token })
        .await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|status| status.code())
}

pub(crate) async fn address(control: &mut Control, token: &str) -> Result<pb::GetRegistedIpResponse, Code> {
    let token = token.to_owned();
    let answer = control.get_registed_ip(pb::GetRegistedIpRequest { token }).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|status| status.code())
}

pub(crate) async fn unregister(control: &mut Control, token: &str) -> Result<pb::UnRegisterResponse, Code> {
    let token = token.to_owned();
    let answer = control.un_register(pb::UnRegisterRequest { token }).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|status| status.code())
}

/// The text behind a field of an answer.
pub(crate) fn pem(field: &str) -> String {
    String::from_utf8(STANDARD.decode(field).expect("base64")).expect("text")
}

/// The certificate with its key that a machine was given.
pub(crate) fn holder(certificate: &str, key: &str) -> Holder {
    let identity = Identity::from_pem(&pem(certificate), &pem(key)).expect("PEM");
    Holder::new(identity).expect("they fit")
}

/// A request that carries a bearer.
pub(crate) fn signed<T>(message: T, bearer: &Secret) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {}", bearer.expose()).parse().expect("ASCII");
    request.metadata_mut().insert("authorization", value);
    request
}
