//! A zone with accounts for each test, on either engine, and a clock that moves when told.

use std::{path::Path, time::Duration};

use access::{
    Access, Action, Actor, Credential, Peer, Permit, Proof, Role, Secret, SystemPermit, Write, people,
};
use accounts::{
    Account, Admitted, Asked, Charges, Config, Create, CreateTenant, Ended, Error, Handle, JobKey, Join,
    Ledger, MIGRATIONS, NewAccount, NewMember, NewPrice, Paid, Partition, Pay, Payment, Price, price::Amount,
};
use model::{Money, Span, Timestamp, UserId};
use store::{Engine, Store, Tx, params};
use tasks::{Clock, Tasks};
use tempfile::TempDir;
use testbed::Postgres;

/// What every user of these tests signs in with.
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct Bed {
    pub(crate) accounts: Handle,
    pub(crate) access: Access,
    pub(crate) clock: Clock,
    pub(crate) owner: Actor,
    pub(crate) store: Store,
    engine: Engine,
    folder: TempDir,
    tasks: Tasks,
    config: Config,
}

/// A user of the tests.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) name: String,
    pub(crate) actor: Actor,
}

pub(crate) fn peer() -> Peer {
    Peer::new(None, "test")
}

pub(crate) fn money(text: &str) -> Money {
    text.parse().expect("an amount")
}

/// Ten-thousandths.
pub(crate) fn raw(amount: i64) -> Money {
    Money::from_ten_thousandths(amount)
}

impl Bed {
    pub(crate) async fn sqlite() -> Self {
        Self::with(Place::Sqlite, Config::default()).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::with(Place::Postgres, Config::default()).await
    }

    pub(crate) async fn with(place: Place, config: Config) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = match place {
            Place::Sqlite => Engine::Sqlite {
                path: folder.path().join("zone.db"),
            },
            Place::Postgres => {
                let url = tokio::task::block_in_place(|| Postgres::shared().database());
                Engine::Postgres {
                    url: url.expect("a database"),
                    connections: 4,
                }
            }
        };
        let (clock, tasks) = (Clock::manual(NOW), Tasks::new());
        let (store, access, accounts) = open(&engine, folder.path(), &clock, config.clone(), &tasks).await;
        let code = access.first_owner("ada").await.expect("made").expect("a code");
        let owner = signed_in(&access, Proof::LinkCode(code)).await;
        Self {
            accounts,
            access,
            clock,
            owner,
            store,
            engine,
            folder,
            tasks,
            config,
        }
    }

    /// The same zone, opened anew after something else was done to it meanwhile.
    pub(crate) async fn restarted_after(self, work: impl FnOnce(&Engine, &Path)) -> Self {
        drop((self.accounts, self.access));
        self.tasks.stop(Duration::from_secs(20)).await;
        self.store.close().await;
        tokio::task::block_in_place(|| work(&self.engine, self.folder.path()));
        let tasks = Tasks::new();
        let opened = open(
            &self.engine,
            self.folder.path(),
            &self.clock,
            self.config.clone(),
            &tasks,
        );
        let (store, access, accounts) = opened.await;
        Self {
            accounts,
            access,
            store,
            tasks,
            clock: self.clock,
            owner: self.owner,
            engine: self.engine,
            folder: self.folder,
            config: self.config,
        }
    }

    pub(crate) async fn permit<A: Action>(&self) -> Permit<A> {
        self.permit_of::<A>(&self.owner).await
    }

    pub(crate) async fn permit_of<A: Action>(&self, actor: &Actor) -> Permit<A> {
        self.access.permit::<A>(actor, &peer()).await.expect("may")
    }

    /// A user without a tenant of their own, signed in.
    pub(crate) async fn user(&self, name: &str) -> User {
        let id = self.enrolled(name, Some(Secret::from(PASSWORD.to_owned()))).await;
        let actor = self.sign_in(name).await;
        let name = name.to_owned();
        User { id, name, actor }
    }

    /// A user who does nothing themselves.
    pub(crate) async fn silent_user(&self, name: &str) -> User {
        let id = self.enrolled(name, None).await;
        let (name, actor) = (name.to_owned(), self.owner.clone());
        User { id, name, actor }
    }

    async fn enrolled(&self, name: &str, password: Option<Secret>) -> UserId {
        let newcomer = self.access.newcomer(name, password.as_ref(), Role::Member).await;
        let newcomer = newcomer.expect("checked");
        let permit = self.permit::<access::user::Create>().await;
        let make = move |write: &mut Write<'_, '_>| people::enrol(write, &newcomer);
        permit.write(&self.store, make).await.expect("made")
    }

    pub(crate) async fn sign_in(&self, name: &str) -> Actor {
        let proof = Proof::Password {
            user_name: name.to_owned(),
            password: Secret::from(PASSWORD.to_owned()),
        };
        signed_in(&self.access, proof).await
    }

    pub(crate) async fn tenant(&self, name: &str) {
        let permit = self.permit::<CreateTenant>().await;
        self.accounts.create_tenant(permit, name).await.expect("made");
    }

    pub(crate) async fn account(&self, name: &str, owner: &User) -> Account {
        let new = NewAccount {
            name: name.to_owned(),
            tenant: accounts::DEFAULT_TENANT.to_owned(),
            owner: owner.name.clone(),
            comment: String::new(),
        };
        let permit = self.permit::<Create>().await;
        self.accounts.create_account(permit, new).await.expect("made")
    }

    pub(crate) async fn join(&self, account: &str, user: &User) {
        let new = NewMember {
            tenant: None,
            account: account.to_owned(),
            user: user.name.clone(),
        };
        let permit = self.permit::<Join>().await;
        self.accounts.add_user(permit, new).await.expect("added");
    }

    pub(crate) async fn pay(&self, account: &str, amount: &str) -> Paid {
        let payment = Payment {
            tenant: accounts::DEFAULT_TENANT.to_owned(),
            account: Some(account.to_owned()),
            amount: money(amount),
            ..Payment::default()
        };
        self.try_pay(payment).await.expect("paid")
    }

    pub(crate) async fn try_pay(&self, payment: Payment) -> Result<Paid, Error> {
        let permit = self.permit::<Pay>().await;
        self.accounts.pay(permit, payment).await
    }

    /// Everybody's price of a core for an hour.
    pub(crate) async fn price(&self, path: &str, unit: &str) {
        self.try_price(price(path, unit)).await.expect("set");
    }

    pub(crate) async fn try_price(&self, new: NewPrice) -> Result<accounts::PriceItem, Error> {
        let permit = self.permit::<Price>().await;
        self.accounts.add_price(permit, new).await
    }

    pub(crate) async fn submit(&self, asked: Asked) -> Result<Admitted, Error> {
        submit(&self.store, &self.accounts, asked).await
    }

    pub(crate) async fn end(&self, ended: Ended) {
        settle(&self.store, &self.accounts, ended).await;
    }

    pub(crate) async fn shown(&self, account: &str) -> Account {
        let permit = self.permit().await;
        let filter = accounts::AccountFilter {
            name: Some(account.to_owned()),
            tenant: None,
        };
        let mut found = self.accounts.accounts(&permit, filter).await.expect("listed");
        assert_eq!(found.len(), 1, "{account}");
        found.remove(0)
    }

    /// The books, which always sum to zero and to their entries.
    pub(crate) async fn ledger(&self) -> Ledger {
        let permit = self.permit::<Charges>().await;
        let ledger = self.accounts.ledger(&permit).await.expect("in balance");
        assert_eq!(ledger.sum, Money::ZERO);
        ledger
    }

    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        let read = move |tx: &mut Tx<'_>| -> Result<i64, store::Error> {
            tx.row(sql, &[])?.expect("one row").get(0)
        };
        let number = SystemPermit::new("test.count").read(&self.store, read).await;
        number.expect("it runs")
    }

    /// Where the bill of a job stands; nothing where there is none.
    pub(crate) async fn state(&self, number: u32) -> Option<String> {
        let read = move |tx: &mut Tx<'_>| -> Result<Option<String>, store::Error> {
            let row = tx.row("SELECT state FROM job_bills WHERE number = ?1", params![number])?;
            row.map(|row| row.get(0)).transpose()
        };
        let state = SystemPermit::new("test.state").read(&self.store, read).await;
        state.expect("it runs")
    }
}

/// The engine of a zone.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    Sqlite,
    Postgres,
}

pub(crate) async fn open(
    engine: &Engine,
    folder: &Path,
    clock: &Clock,
    config: Config,
    tasks: &Tasks,
) -> (Store, Access, Handle) {
    let migrations = [access::MIGRATIONS, MIGRATIONS].concat();
    let engine = engine.clone();
    let store = Store::open(&store::Config { engine }, &migrations, tasks).await;
    let store = store.expect("a store");
    let access = Access::start(access::Parts {
        store: store.clone(),
        tasks: tasks.child(),
        clock: clock.clone(),
        keys_dir: folder.join("keys"),
        zone_host: "soke.localhost".to_owned(),
        config: access::Config::default(),
    });
    let access = access.await.expect("a zone");
    let accounts = accounts::start(accounts::Parts {
        store: store.clone(),
        access: access.clone(),
        tasks: tasks.child(),
        clock: clock.clone(),
        config,
    });
    let accounts = accounts.await.expect("accounts");
    (store, access, accounts)
}

/// Admits a job in a transaction of its own.
pub(crate) async fn submit(store: &Store, accounts: &Handle, asked: Asked) -> Result<Admitted, Error> {
    let accounts = accounts.clone();
    let work = move |tx: &mut Tx<'_>| accounts.admit(tx, &asked);
    SystemPermit::new("test.submit").write(store, work).await
}

/// Settles a job in a transaction of its own.
pub(crate) async fn settle(store: &Store, accounts: &Handle, ended: Ended) {
    let accounts = accounts.clone();
    let work = move |tx: &mut Tx<'_>| accounts.settle(tx, &ended);
    let settled = SystemPermit::new("test.end").write(store, work).await;
    settled.expect("settled");
}

async fn signed_in(access: &Access, proof: Proof) -> Actor {
    let signed_in = access.sign_in(proof, &peer()).await;
    let signed_in = signed_in.map_err(|error| error.to_string()).expect("signed in");
    let bearer = Credential::Bearer(signed_in.access_token);
    access.authenticate(bearer, &peer()).await.expect("known")
}

pub(crate) fn price(path: &str, unit: &str) -> NewPrice {
    NewPrice {
        id: None,
        tenant: None,
        path: path.to_owned(),
        price: money(unit),
        amount: Amount::CpusAlloc,
        description: String::new(),
    }
}

/// When the tests begin.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// When their jobs are submitted.
pub(crate) const SUBMITTED: Timestamp = Timestamp::from_secs(1_800_000_100);

pub(crate) fn key(number: u32) -> JobKey {
    JobKey {
        cluster: "local".to_owned(),
        number,
        array_index: 0,
        attempt: 0,
        submitted_at: SUBMITTED,
    }
}

/// A job of one core for an hour at most.
pub(crate) fn job(number: u32, user: &User) -> Asked {
    job_of(number, user.id, &user.name)
}

pub(crate) fn job_of(number: u32, user: UserId, user_name: &str) -> Asked {
    Asked {
        key: key(number),
        user,
        user_name: user_name.to_owned(),
        account: None,
        name: format!("job-{number}"),
        partition: Partition {
            name: "main".to_owned(),
            cores: 8,
            gpus: 0,
            memory_mb: 16_000,
        },
        qos: String::new(),
        nodes: 1,
        cpus: 1,
        gpus: 0,
        memory_mb: 100,
        time_limit: Span::from_secs(3600),
    }
}

/// The end of a job that ran for so many seconds.
pub(crate) fn ran(number: u32, secs: i64) -> Ended {
    let started = SUBMITTED + Span::from_secs(10);
    Ended {
        key: key(number),
        started_at: Some(started),
        ended_at: started + Span::from_secs(secs),
        node_list: "here".to_owned(),
    }
}

/// The end of a job that never started.
pub(crate) fn never_ran(number: u32) -> Ended {
    Ended {
        started_at: None,
        ..ran(number, 5)
    }
}

/// The larger number where the full counts are asked for.
pub(crate) fn rounds(everyday: u32, promised: u32) -> u32 {
    let full = std::env::var("SOKE_TEST_FULL").is_ok_and(|value| value == "1");
    if full { promised } else { everyday }
}

/// Makes one test of each function for each engine.
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::bed::Bed::sqlite().await).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::bed::Bed::postgres().await).await;
            })*
        }
    };
}

pub(crate) use on_both_engines;
