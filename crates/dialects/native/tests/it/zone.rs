//! A zone to call, and the zone's own call.

use std::sync::{Arc, Mutex, OnceLock};

use access::Access;
use futures::future::BoxFuture;
use native::{Bound, Check, Health};
use rpc::{CallLimits, Calls};
use tasks::{Clock, Tasks};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use wire::soke::v1::{
    self, account_service_client::AccountServiceClient, job_service_client::JobServiceClient,
    node_service_client::NodeServiceClient, service_service_client::ServiceServiceClient,
    session_service_client::SessionServiceClient, sign_in_request::Proof,
    user_service_client::UserServiceClient, zone_service_client::ZoneServiceClient,
};

use crate::engine::Engine;

/// No machine is part of the zone, so services stay what was asked for.
struct NoNodes;

impl services::node::Nodes for NoNodes {
    fn machines(&self) -> BoxFuture<'_, Result<Vec<services::node::Machine>, services::Error>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn on(&self, _node: model::NodeId) -> Option<Arc<dyn services::node::OnNode>> {
        None
    }
}

/// A zone with its owner `ada`, who has not signed in yet.
pub(crate) struct Zone {
    pub(crate) access: Access,
    pub(crate) calls: Calls,
    pub(crate) store: store::Store,
    pub(crate) books: accounts::Handle,
    /// How the check says that work is.
    pub(crate) work: Arc<Mutex<Health>>,
    /// Begins the stop.
    pub(crate) stopping: CancellationToken,
    code: String,
    _data: TempDir,
}

impl Zone {
    pub(crate) async fn new() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let (tasks, clock) = (Tasks::new(), Clock::system());
        let engine = store::Engine::Sqlite {
            path: data.path().join("zone.db"),
        };
        let migrations: Vec<store::Migration> = [
            access::MIGRATIONS,
            jobs::MIGRATIONS,
            nodes::MIGRATIONS,
            services::MIGRATIONS,
            accounts::MIGRATIONS,
        ]
        .concat();
        let store = store::Store::open(&store::Config { engine }, &migrations, &tasks).await;
        let store = store.expect("a store");
        let access = Access::start(access::Parts {
            store: store.clone(),
            tasks: tasks.clone(),
            clock: clock.clone(),
            keys_dir: data.path().join("keys"),
            zone_host: "soke.localhost".to_owned(),
            config: access::Config::default(),
        });
        let access = access.await.expect("a zone");
        let code = access.first_owner("ada").await.expect("made").expect("a code");
        let nodes = nodes::start(nodes::Parts {
            store: store.clone(),
            access: access.clone(),
            tasks: tasks.clone(),
            clock: clock.clone(),
            config: nodes::Config::default(),
        });
        let nodes = nodes.await.expect("nodes");
        let services = services::start(services::Parts {
            store: store.clone(),
            tasks: tasks.clone(),
            clock: clock.clone(),
            nodes: Arc::new(NoNodes),
            config: services::Config::default(),
        });
        let accounts = accounts::start(accounts::Parts {
            store: store.clone(),
            access: access.clone(),
            tasks: tasks.clone(),
            clock: clock.clone(),
            config: accounts::Config::default(),
        });
        let jobs = jobs::start(jobs::Parts {
            store: store.clone(),
            access: access.clone(),
            tasks,
            clock,
            nodes: Arc::new(jobs::node::Alone::new("node1", Arc::new(Engine::default()))),
            admission: Arc::new(jobs::Unpaid),
            config: jobs::Config::default(),
        });
        let books = accounts.await.expect("accounts");
        let (work, stopping) = (Arc::new(Mutex::new(Health::Ok)), CancellationToken::new());
        let routes = native::routes(native::Parts {
            access: access.clone(),
            jobs: jobs.await.expect("jobs"),
            nodes,
            services: services.await.expect("services"),
            accounts: books.clone(),
            zone: facts(&work, &stopping),
        });
        Self {
            access,
            calls: Calls::new(routes, CallLimits::default()),
            store,
            books,
            work,
            stopping,
            code: code.expose().to_owned(),
            _data: data,
        }
    }

    pub(crate) fn sessions(&self) -> SessionServiceClient<Calls> {
        SessionServiceClient::new(self.calls.clone())
    }

    pub(crate) fn jobs(&self) -> JobServiceClient<Calls> {
        JobServiceClient::new(self.calls.clone())
    }

    pub(crate) fn users(&self) -> UserServiceClient<Calls> {
        UserServiceClient::new(self.calls.clone())
    }

    pub(crate) fn services(&self) -> ServiceServiceClient<Calls> {
        ServiceServiceClient::new(self.calls.clone())
    }

    pub(crate) fn accounts(&self) -> AccountServiceClient<Calls> {
        AccountServiceClient::new(self.calls.clone())
    }

    pub(crate) fn nodes(&self) -> NodeServiceClient<Calls> {
        NodeServiceClient::new(self.calls.clone())
    }

    pub(crate) async fn sign_in(&self, proof: Proof) -> Result<v1::SignInResponse, Status> {
        let request = v1::SignInRequest { proof: Some(proof) };
        let answer = self.sessions().sign_in(request).await;
        answer.map(tonic::Response::into_inner)
    }

    /// The owner's access token, with the first code: works once.
    pub(crate) async fn owner(&self) -> String {
        let signed_in = self.sign_in(Proof::LinkCode(self.code.clone())).await;
        token(&signed_in.expect("signed in"))
    }

    /// Makes a member and signs it in.
    pub(crate) async fn member(&self, owner: &str, name: &str) -> String {
        let message = v1::CreateUserRequest {
            user_name: name.to_owned(),
            ..v1::CreateUserRequest::default()
        };
        let made = self
            .users()
            .create_user(bearing(owner, message))
            .await
            .expect("made");
        let code = made.into_inner().sign_in_code;
        token(&self.sign_in(Proof::LinkCode(code)).await.expect("signed in"))
    }
}

fn facts(work: &Arc<Mutex<Health>>, stopping: &CancellationToken) -> native::Zone {
    let work = Arc::clone(work);
    native::Zone {
        host: "soke.localhost".to_owned(),
        version: "0.0.0".to_owned(),
        started_at: model::Timestamp::from_secs(1_700_000_000),
        store_engine: "sqlite",
        bound: Arc::new(OnceLock::from(Bound {
            address: "soke.localhost:7443".to_owned(),
            listeners: vec!["native 127.0.0.1:7443".to_owned()],
        })),
        beside: &[],
        parts_beside: &[("scow.portal.FileService", Some("work"))],
        stopping: stopping.clone(),
        checks: Arc::new(move || {
            let check = |name: &str, health, text: &str| Check {
                name: name.to_owned(),
                health,
                text: text.to_owned(),
            };
            vec![
                check("walls", Health::Reduced, "no Landlock"),
                check("work", *work.lock().expect("no panic"), "as the test says"),
            ]
        }),
    }
}

pub(crate) fn token(signed_in: &v1::SignInResponse) -> String {
    let tokens = signed_in.tokens.as_ref().expect("tokens");
    tokens.access_token.clone()
}

/// A request with a bearer.
pub(crate) fn bearing<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().expect("a token is ASCII");
    request.metadata_mut().insert("authorization", value);
    request
}

/// The code and the fields at fault.
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, Vec<String>) {
    let status = answer.expect_err("refused");
    assert!(!status.message().is_empty(), "a refusal says why");
    assert_eq!(status.metadata().get("x-request-id").map(|id| id.len()), Some(32));
    let bad = status.get_details_bad_request();
    let faults = bad.map(|bad| bad.field_violations).unwrap_or_default();
    (
        status.code(),
        faults.into_iter().map(|fault| fault.field).collect(),
    )
}

#[tokio::test]
async fn everybody_who_is_signed_in_may_ask_how_the_zone_is() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let member = zone.member(&owner, "bob").await;
    for token in [&owner, &member] {
        let mut client = ZoneServiceClient::new(zone.calls.clone());
        let answer = client.get_status(bearing(token, v1::GetStatusRequest {})).await;
        let status = answer.expect("told").into_inner();
        assert_eq!(status.zone_id, zone.access.zone().zone_id());
        assert_eq!(status.ca_fingerprint.len(), 64);
        assert_eq!(status.listeners, ["native 127.0.0.1:7443"]);
        assert_eq!(status.address, "soke.localhost:7443");
        assert_eq!(status.checks[0].health(), v1::Health::Reduced);
    }
}

#[tokio::test]
async fn without_a_good_bearer_no_call_says_anything() {
    let zone = Zone::new().await;
    let other = Zone::new().await;
    let foreign = other.owner().await;
    let owner = zone.owner().await;
    let ended = zone.member(&owner, "bob").await;
    let out = zone
        .sessions()
        .sign_out(bearing(&ended, v1::SignOutRequest {}))
        .await;
    out.expect("signed out");
    let cut = owner.trim_end_matches(|c: char| c != '.').to_owned();
    let mut client = ZoneServiceClient::new(zone.calls.clone());
    for bad in ["x", "a.b.c", foreign.as_str(), ended.as_str(), cut.as_str()] {
        let answer = client.get_status(bearing(bad, v1::GetStatusRequest {})).await;
        assert_eq!(refusal(answer), (Code::Unauthenticated, vec![]), "{bad}");
    }
    let mut twice = bearing(&owner, v1::GetStatusRequest {});
    let again = format!("Bearer {owner}").parse().expect("ASCII");
    twice.metadata_mut().append("authorization", again);
    let mut basic = Request::new(v1::GetStatusRequest {});
    let value = format!("Basic {owner}").parse().expect("ASCII");
    basic.metadata_mut().insert("authorization", value);
    for request in [Request::new(v1::GetStatusRequest {}), twice, basic] {
        let answer = client.get_status(request).await;
        assert_eq!(refusal(answer), (Code::Unauthenticated, vec![]));
    }
    let whole = client.get_status(bearing(&owner, v1::GetStatusRequest {})).await;
    whole.expect("the good bearer still is");
}
