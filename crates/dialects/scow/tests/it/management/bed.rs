//! A management side to call, with the zone's owner `ada` and a member `bob`, and jobs that cost something.

use std::{fmt::Debug, sync::Arc};

use access::{Access, Action, Actor, Credential, Peer, Permit, Secret, SystemPermit};
use accounts::{Asked, Ended, JobKey, Ledger, Look, Partition};
use model::{Span, Timestamp, UserId};
use rpc::{CallLimits, Calls};
use store::Store;
use tasks::{Clock, Tasks};
use tempfile::TempDir;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt as _;
use wire::scow::{
    common::Money,
    server::{
        AddBillingItemRequest, CreateAccountRequest, CreateUserRequest, PayRequest,
        account_service_client::AccountServiceClient, admin_service_client::AdminServiceClient,
        charging_service_client::ChargingServiceClient, config_service_client::ConfigServiceClient,
        init_service_client::InitServiceClient, job_service_client::JobServiceClient,
        tenant_service_client::TenantServiceClient, user_service_client::UserServiceClient,
    },
};

use crate::{
    engine::Engine,
    zone::{bearing, people},
};

/// The instant at which [`Bed::charged`] jobs are submitted.
pub(crate) const SUBMITTED: i64 = 1_700_000_000;

pub(crate) const SECRET: &str = "a password of some length";

pub(crate) struct Bed {
    calls: Calls,
    /// Access tokens.
    pub(crate) ada: String,
    pub(crate) bob: String,
    pub(crate) jobs: ::jobs::Handle,
    access: Access,
    accounts: accounts::Handle,
    store: Store,
    _data: TempDir,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let (tasks, clock) = (Tasks::new(), Clock::system());
        let engine = store::Engine::Sqlite {
            path: data.path().join("zone.db"),
        };
        let migrations = [access::MIGRATIONS, accounts::MIGRATIONS, ::jobs::MIGRATIONS].concat();
        let store = Store::open(&store::Config { engine }, &migrations, &tasks).await;
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
        let (ada, bob) = people(&access).await;
        let accounts = accounts::start(accounts::Parts {
            store: store.clone(),
            access: access.clone(),
            tasks: tasks.clone(),
            clock: clock.clone(),
            config: accounts::Config::default(),
        });
        let accounts = accounts.await.expect("books");
        let jobs = ::jobs::start(::jobs::Parts {
            store: store.clone(),
            access: access.clone(),
            tasks,
            clock: clock.clone(),
            nodes: Arc::new(::jobs::node::Alone::new("node1", Arc::new(Engine::default()))),
            admission: Arc::new(::jobs::Unpaid),
            config: ::jobs::Config::default(),
        });
        let jobs = jobs.await.expect("jobs");
        let routes = scow::management(scow::Management {
            access: access.clone(),
            accounts: accounts.clone(),
            jobs: jobs.clone(),
            cluster: "local".to_owned(),
            clock,
        });
        Self {
            calls: Calls::new(routes, CallLimits::default()),
            ada,
            bob,
            jobs,
            access,
            accounts,
            store,
            _data: data,
        }
    }

    /// With the account `physics` of carol, who is made, holding 500; cores at 100 an hour for accounts and 10 for
    /// tenants.
    pub(crate) async fn paid() -> Self {
        let bed = Self::new().await;
        bed.user("carol").await;
        bed.account("physics", "carol").await;
        bed.pay(Some("physics"), money(500, 0)).await;
        bed.price("all", None, money(10, 0)).await;
        bed.price("own", Some("default"), money(100, 0)).await;
        bed
    }

    pub(crate) fn init(&self) -> InitServiceClient<Calls> {
        InitServiceClient::new(self.calls.clone())
    }

    pub(crate) fn users(&self) -> UserServiceClient<Calls> {
        UserServiceClient::new(self.calls.clone())
    }

    pub(crate) fn tenants(&self) -> TenantServiceClient<Calls> {
        TenantServiceClient::new(self.calls.clone())
    }

    pub(crate) fn accounts(&self) -> AccountServiceClient<Calls> {
        AccountServiceClient::new(self.calls.clone())
    }

    pub(crate) fn charging(&self) -> ChargingServiceClient<Calls> {
        ChargingServiceClient::new(self.calls.clone())
    }

    pub(crate) fn job_calls(&self) -> JobServiceClient<Calls> {
        JobServiceClient::new(self.calls.clone())
    }

    pub(crate) fn admin(&self) -> AdminServiceClient<Calls> {
        AdminServiceClient::new(self.calls.clone())
    }

    pub(crate) fn config(&self) -> ConfigServiceClient<Calls> {
        ConfigServiceClient::new(self.calls.clone())
    }

    pub(crate) async fn user(&self, name: &str) {
        let made = self.users().create_user(bearing(&self.ada, new_user(name))).await;
        made.expect("a new user");
    }

    pub(crate) async fn account(&self, name: &str, owner: &str) {
        let asked = bearing(&self.ada, new_account(name, owner));
        self.accounts()
            .create_account(asked)
            .await
            .expect("a new account");
    }

    pub(crate) async fn pay(&self, account: Option<&str>, amount: Money) {
        let asked = bearing(&self.ada, payment(account, amount));
        self.charging().pay(asked).await.expect("paid");
    }

    pub(crate) async fn price(&self, id: &str, tenant: Option<&str>, price: Money) {
        let asked = bearing(&self.ada, new_price(id, tenant, price));
        self.job_calls().add_billing_item(asked).await.expect("a price");
    }

    /// A permit of a user of the zone.
    pub(crate) async fn permit<A: Action>(&self, token: &str) -> Permit<A> {
        let peer = Peer::new(None, "test");
        let bearer = Credential::Bearer(Secret::from(token.to_owned()));
        let actor: Actor = self.access.authenticate(bearer, &peer).await.expect("known");
        self.access.permit(&actor, &peer).await.expect("permitted")
    }

    /// All books, which are compared with their entries on the way.
    pub(crate) async fn ledger(&self) -> Ledger {
        let permit = self.permit(&self.ada).await;
        self.accounts.ledger(&permit).await.expect("balanced books")
    }

    async fn id(&self, name: &str) -> UserId {
        let permit: Permit<Look> = self.permit(&self.ada).await;
        self.accounts.person(&permit, name).await.expect("a user").id
    }

    /// A job with this number of this user ran for an hour on one core, and ended as many seconds after midnight.
    pub(crate) async fn charged(&self, number: u32, user: &str, account: &str) {
        let key = JobKey {
            cluster: "local".to_owned(),
            number,
            array_index: 0,
            attempt: 0,
            submitted_at: Timestamp::from_secs(SUBMITTED),
        };
        let asked = Asked {
            key: key.clone(),
            user: self.id(user).await,
            user_name: user.to_owned(),
            account: Some(account.to_owned()),
            name: format!("job-{number}"),
            partition: Partition {
                name: "local".to_owned(),
                cores: 4,
                gpus: 0,
                memory_mb: 4096,
            },
            qos: "normal".to_owned(),
            nodes: 1,
            cpus: 1,
            gpus: 0,
            memory_mb: 512,
            time_limit: Span::from_secs(7200),
        };
        let started = SUBMITTED + i64::from(number);
        let ended = Ended {
            key,
            started_at: Some(Timestamp::from_secs(started)),
            ended_at: Timestamp::from_secs(started + 3600),
            node_list: "node1".to_owned(),
        };
        let accounts = self.accounts.clone();
        let done: Result<(), accounts::Error> = SystemPermit::new("test.jobs")
            .write(&self.store, move |tx| {
                accounts.admit(tx, &asked)?;
                accounts.settle(tx, &ended)
            })
            .await;
        done.expect("a job that was charged");
    }
}

pub(crate) fn money(yuan: u64, decimal_place: u32) -> Money {
    Money {
        positive: true,
        yuan,
        decimal_place,
    }
}

pub(crate) fn minus(yuan: u64, decimal_place: u32) -> Money {
    Money {
        positive: false,
        yuan,
        decimal_place,
    }
}

pub(crate) fn new_user(name: &str) -> CreateUserRequest {
    CreateUserRequest {
        tenant_name: "default".to_owned(),
        identity_id: name.to_owned(),
        name: format!("Label of {name}"),
        email: format!("{name}@example.org"),
        password: SECRET.to_owned(),
    }
}

pub(crate) fn new_account(name: &str, owner: &str) -> CreateAccountRequest {
    CreateAccountRequest {
        tenant_name: "default".to_owned(),
        account_name: name.to_owned(),
        owner_id: owner.to_owned(),
        comment: Some("a remark".to_owned()),
    }
}

pub(crate) fn payment(account: Option<&str>, amount: Money) -> PayRequest {
    PayRequest {
        amount: Some(amount),
        operator_id: "ada".to_owned(),
        tenant_name: "default".to_owned(),
        account_name: account.map(str::to_owned),
        r#type: "cash".to_owned(),
        comment: "a remark".to_owned(),
        ip_address: "192.0.2.1".to_owned(),
    }
}

pub(crate) fn new_price(id: &str, tenant: Option<&str>, price: Money) -> AddBillingItemRequest {
    AddBillingItemRequest {
        tenant_name: tenant.map(str::to_owned),
        item_id: id.to_owned(),
        price: Some(price),
        amount_strategy: "cpusAlloc".to_owned(),
        path: "local.local".to_owned(),
        description: None,
    }
}

/// Expects this code, and these fields at fault.
pub(crate) fn refused<T: Debug>(
    what: &str,
    answer: Result<Response<T>, Status>,
    code: Code,
    fields: &[&str],
) -> String {
    let status = match answer {
        Ok(answer) => panic!("{what} was not refused: {answer:?}"),
        Err(status) => status,
    };
    assert_eq!(status.code(), code, "{what}: {}", status.message());
    assert!(!status.message().is_empty(), "{what}: a refusal says why");
    let bad = status.get_details_bad_request();
    let faults = bad.map(|bad| bad.field_violations).unwrap_or_default();
    let named: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(named, fields, "{what}: {}", status.message());
    status.message().to_owned()
}
