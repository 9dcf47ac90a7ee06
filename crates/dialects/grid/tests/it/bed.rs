//! A zone of its own for each test: real access on a real store, a clock that moves when told, and services that only
//! note what they are asked.

use std::sync::{Arc, Mutex};

use access::{Access, Actor, Peer, Permit, Proof, Secret, user};
use futures::future::BoxFuture;
use grid::{Answer, Door, Endpoint, Forward, NoEndpoint, NotDeployed, Parts, Services};
use http::{HeaderMap, Method, Request, header};
use http_body_util::BodyExt as _;
use model::{NodeId, ServiceId, Span, Timestamp, UserId};
use rpc::PeerInfo;
use store::{Engine, Store};
use tasks::{Clock, Tasks};
use tempfile::TempDir;

/// What the door said, read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) headers: HeaderMap,
}

/// Services that deploy nothing: who deployed last what, and what to say instead.
#[derive(Default)]
pub(crate) struct StandIn {
    deployed: Mutex<Vec<(UserId, String, Endpoint)>>,
    refusal: Mutex<Option<NotDeployed>>,
}

impl StandIn {
    pub(crate) fn refuse(&self, refusal: Option<NotDeployed>) {
        *self.refusal.lock().expect("not poisoned") = refusal;
    }

    pub(crate) fn deployed(&self) -> Vec<(UserId, String, Endpoint)> {
        self.deployed.lock().expect("not poisoned").clone()
    }
}

impl Services for StandIn {
    fn deploy<'a>(
        &'a self,
        actor: &'a Actor,
        _peer: &'a Peer,
        url: &'a str,
    ) -> BoxFuture<'a, Result<(), NotDeployed>> {
        Box::pin(async move {
            if let Some(refusal) = self.refusal.lock().expect("not poisoned").clone() {
                return Err(refusal);
            }
            let now = Timestamp::from_secs(1);
            let endpoint = Endpoint {
                node: NodeId::fresh(now),
                service: ServiceId::fresh(now),
                port: 9000,
            };
            let mut deployed = self.deployed.lock().expect("not poisoned");
            deployed.push((actor.user().expect("a user").id, url.to_owned(), endpoint));
            Ok(())
        })
    }

    fn endpoint<'a>(
        &'a self,
        actor: &'a Actor,
        _peer: &'a Peer,
    ) -> BoxFuture<'a, Result<Endpoint, NoEndpoint>> {
        Box::pin(async move {
            let mine = |entry: &&(UserId, String, Endpoint)| entry.0 == actor.user().expect("a user").id;
            let last = self.deployed().iter().rev().find(mine).map(|entry| entry.2);
            last.ok_or(NoEndpoint::NotDeployed)
        })
    }
}

pub(crate) struct Bed {
    pub(crate) door: Door,
    pub(crate) access: Access,
    pub(crate) services: Arc<StandIn>,
    pub(crate) clock: Clock,
    _tasks: Tasks,
    _folder: TempDir,
}

fn info(tls: bool) -> PeerInfo {
    PeerInfo {
        address: "192.0.2.7:40000".parse().expect("an address"),
        local: "127.0.0.1:8080".parse().expect("an address"),
        tls,
        server_name: None,
        certificates: Arc::default(),
    }
}

impl Bed {
    pub(crate) async fn new() -> Bed {
        Bed::with(access::Config::default(), false).await
    }

    /// A zone for trying clients out.
    pub(crate) async fn for_tests() -> Bed {
        let config = access::Config {
            believe_wallets: true,
            ..access::Config::default()
        };
        Bed::with(config, true).await
    }

    pub(crate) async fn with(config: access::Config, test: bool) -> Bed {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (tasks, clock) = (Tasks::new(), Clock::manual(Timestamp::from_secs(1_703_757_313)));
        let engine = Engine::Sqlite {
            path: folder.path().join("zone.db"),
        };
        let store = Store::open(&store::Config { engine }, access::MIGRATIONS, &tasks).await;
        let access = Access::start(access::Parts {
            store: store.expect("the store opens"),
            tasks: tasks.child(),
            clock: clock.clone(),
            keys_dir: folder.path().join("keys"),
            zone_host: "soke.localhost".to_owned(),
            config,
        })
        .await
        .expect("the zone is made");
        let services = Arc::new(StandIn::default());
        let door = Door::new(Parts {
            access: access.clone(),
            services: Arc::clone(&services) as Arc<dyn Services>,
            clock: clock.clone(),
            test,
        });
        Bed {
            door,
            access,
            services,
            clock,
            _tasks: tasks,
            _folder: folder,
        }
    }

    pub(crate) fn pass(&self, secs: i64) {
        self.clock.advance(Span::from_secs(secs));
    }

    /// Asks the door about any head.
    pub(crate) async fn ask(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        tls: bool,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(target).extension(info(tls));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        self.door.answer(&head).await
    }

    /// What the door answers by itself.
    pub(crate) async fn said(&self, method: Method, target: &str, headers: &[(&str, &str)]) -> Said {
        match self.ask(method, target, headers, false).await {
            Answer::Response(response) => read(response).await,
            Answer::Forward(forward) => panic!("{target} goes on to {forward:?}"),
        }
    }

    /// One step of the handshake, with this cookie.
    pub(crate) async fn greet(&self, query: &str, cookie: &str) -> Said {
        self.said(Method::GET, &format!("/greet?{query}"), &[("cookie", cookie)])
            .await
    }

    /// Where the door sends a request.
    pub(crate) async fn forwarded(&self, method: Method, target: &str, cookie: &str) -> Forward {
        match self.ask(method, target, &[("cookie", cookie)], false).await {
            Answer::Forward(forward) => forward,
            Answer::Response(response) => panic!("{target}: {:?}", read(response).await),
        }
    }

    /// The parameters of type 2 for a wallet that signs now.
    pub(crate) fn signed(&self, wallet: &testbed::Wallet) -> String {
        let time = self.clock.now().secs().to_string();
        proof(wallet, &time, &wallet.sign_plain(&time))
    }

    /// Types 1 and 2 of a wallet: its cookie.
    pub(crate) async fn cookie(&self, wallet: &testbed::Wallet) -> String {
        let announced = self
            .greet(&format!("type=1&input={}", wallet.address()), "")
            .await;
        assert_eq!(announced.status, 200, "{announced:?}");
        let said = self.greet(&self.signed(wallet), "").await;
        assert_eq!(said.status, 200, "{said:?}");
        said.cookie()
    }

    /// Links a wallet to a new member of this name.
    pub(crate) async fn link(&self, name: &str, wallet: &testbed::Wallet) -> UserId {
        let (access, peer) = (&self.access, Peer::new(None, "test"));
        let sign_in = async |code: Secret| {
            let tokens = access.sign_in(Proof::LinkCode(code), &peer).await;
            let token = tokens.unwrap_or_else(|error| panic!("{error}")).access_token;
            access
                .authenticate(access::Credential::Bearer(token), &peer)
                .await
                .expect("good")
        };
        let owner = access
            .first_owner("keeper")
            .await
            .expect("an owner")
            .expect("a code");
        let owner = sign_in(owner).await;
        let make: Permit<user::Create> = access.permit(&owner, &peer).await.expect("may");
        let wanted = access::NewUser {
            name: name.to_owned(),
            ..access::NewUser::default()
        };
        let (made, code) = access.create_user(&make, &wanted).await.expect("made");
        let member = sign_in(code).await;
        let link: Permit<access::session::AddWallet> = access.permit(&member, &peer).await.expect("may");
        let address = wallet.address().parse().expect("an address");
        let text = access.wallet_text(address, Some(name)).expect("a text");
        let linked = access
            .add_wallet(&link, &text, &wallet.sign_text(&text), "mine")
            .await;
        linked.expect("linked");
        made.id
    }
}

/// The parameters of type 2.
pub(crate) fn proof(wallet: &testbed::Wallet, time: &str, signature: &str) -> String {
    format!("type=2&input={time}&addr={}&sig={signature}", wallet.address())
}

pub(crate) async fn read(response: http::Response<tonic::body::Body>) -> Said {
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    Said {
        status: head.status.as_u16(),
        body: String::from_utf8(bytes.to_vec()).expect("text"),
        headers: head.headers,
    }
}

impl Said {
    /// Every cookie that was set, in order, with its attributes.
    pub(crate) fn set_cookies(&self) -> Vec<String> {
        let all = self.headers.get_all(header::SET_COOKIE).iter();
        all.map(|value| value.to_str().expect("text").to_owned())
            .collect()
    }

    /// The first cookie that was set, as a client sends it.
    pub(crate) fn cookie(&self) -> String {
        let first = self.set_cookies().into_iter().next().expect("a cookie");
        first.split(';').next().unwrap_or_default().to_owned()
    }
}
