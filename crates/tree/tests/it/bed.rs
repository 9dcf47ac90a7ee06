//! A zone with a tree for each test.

use std::future::Future;

use access::{Access, Action, Actor, Credential, NewUser, Parts, Peer, Permit, Proof, SystemPermit};
use store::{Engine, Migration, Store, Tx};
use tasks::{Clock, Tasks};
use tempfile::TempDir;
use tree::{Entry, Error, Handle, Key, Mount, Mounts, Prefix};

pub(crate) struct Bed {
    pub(crate) tree: Handle,
    access: Access,
    store: Store,
    _dir: TempDir,
}

/// A signed-in user.
pub(crate) struct Caller(Actor);

/// A mount with one device.
pub(crate) struct Devices;

impl Devices {
    pub(crate) const NAMES: [&'static str; 1] = ["one"];
}

impl Mount for Devices {
    fn get(&self, _tx: &mut Tx<'_>, below: &str) -> Result<Option<Entry>, store::Error> {
        Ok((below == "one/doc").then(|| Entry {
            value: "document of one".to_owned(),
            revision: 7,
        }))
    }

    fn list(&self, _tx: &mut Tx<'_>, below: &str) -> Result<Vec<String>, store::Error> {
        let names: &[&str] = if below.is_empty() { &Self::NAMES } else { &[] };
        Ok(names.iter().map(|name| (*name).to_owned()).collect())
    }
}

fn peer() -> Peer {
    Peer::new(None, "test")
}

/// Runs all of them at once and waits for all.
pub(crate) async fn all<T>(work: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = work.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|cx| {
        waiting.retain_mut(|one| match one.as_mut().poll(cx) {
            std::task::Poll::Ready(value) => {
                done.push(value);
                false
            }
            std::task::Poll::Pending => true,
        });
        if waiting.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done
}

impl Bed {
    pub(crate) async fn new() -> Bed {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("zone.db");
        Bed::on(Engine::Sqlite { path }, dir).await
    }

    /// A zone in a database of its own on the tests' PostgreSQL server.
    pub(crate) async fn postgres() -> Bed {
        let address = tokio::task::block_in_place(|| testbed::Postgres::shared().database());
        let engine = Engine::Postgres {
            url: address.expect("a database"),
            connections: 4,
        };
        Bed::on(engine, tempfile::tempdir().expect("a folder")).await
    }

    async fn on(engine: Engine, dir: TempDir) -> Bed {
        let (tasks, config) = (Tasks::new(), store::Config { engine });
        let migrations: Vec<Migration> = [access::MIGRATIONS, tree::MIGRATIONS].concat();
        let store = Store::open(&config, &migrations, &tasks).await.expect("a store");
        let parts = Parts {
            store: store.clone(),
            tasks,
            clock: Clock::system(),
            keys_dir: dir.path().join("keys"),
            zone_host: "soke.localhost".to_owned(),
            config: access::Config::default(),
        };
        let access = Access::start(parts).await.expect("a zone");
        let tree = tree::start(tree::Parts {
            store: store.clone(),
            mounts: Mounts::default().with("devices", Devices),
        });
        Bed {
            tree,
            access,
            store,
            _dir: dir,
        }
    }

    async fn sign_in(&self, code: access::Secret) -> Caller {
        let signed_in = self.access.sign_in(Proof::LinkCode(code), &peer()).await;
        let token = signed_in.map_err(|error| error.to_string()).expect("signed in");
        let credential = Credential::Bearer(token.access_token);
        Caller(self.access.authenticate(credential, &peer()).await.expect("good"))
    }

    pub(crate) async fn owner(&self) -> Caller {
        let code = self.access.first_owner("ada").await.expect("made");
        self.sign_in(code.expect("a code")).await
    }

    pub(crate) async fn member(&self, by: &Caller, name: &str) -> Caller {
        let permit = self
            .permit::<access::user::Create>(by)
            .await
            .expect("may make users");
        let wanted = NewUser {
            name: name.to_owned(),
            ..NewUser::default()
        };
        let made = self.access.create_user(&permit, &wanted).await;
        let (_user, code) = made.map_err(|error| error.to_string()).expect("made");
        self.sign_in(code).await
    }

    pub(crate) async fn revoke(&self, by: &Caller, name: &str) {
        let permit = self.permit::<access::user::Revoke>(by).await.expect("may revoke");
        self.access.revoke_sessions(&permit, name).await.expect("revoked");
    }

    pub(crate) async fn permit<A: Action>(&self, by: &Caller) -> Result<Permit<A>, access::Error> {
        self.access.permit::<A>(&by.0, &peer()).await
    }

    pub(crate) async fn get(&self, by: &Caller, key: &str) -> Result<Option<Entry>, Error> {
        self.tree.get(&self.permit(by).await?, &Key::parse(key)?).await
    }

    pub(crate) async fn list(&self, by: &Caller, place: &str) -> Result<Vec<String>, Error> {
        self.tree
            .list(&self.permit(by).await?, &Prefix::parse(place)?)
            .await
    }

    pub(crate) async fn set(&self, by: &Caller, key: &str, value: &str) -> Result<u64, Error> {
        self.tree
            .set(&self.permit(by).await?, &Key::parse(key)?, value)
            .await
    }

    pub(crate) async fn create(&self, by: &Caller, key: &str, value: &str) -> Result<u64, Error> {
        self.tree
            .create(&self.permit(by).await?, &Key::parse(key)?, value)
            .await
    }

    pub(crate) async fn append(&self, by: &Caller, key: &str, more: &str) -> Result<u64, Error> {
        self.tree
            .append(&self.permit(by).await?, &Key::parse(key)?, more)
            .await
    }

    pub(crate) async fn delete(&self, by: &Caller, key: &str) -> Result<u64, Error> {
        self.tree.delete(&self.permit(by).await?, &Key::parse(key)?).await
    }

    /// Runs SQL that changes rows past every rule.
    pub(crate) async fn tamper(&self, sql: &'static str) -> u64 {
        let system = SystemPermit::new("test.tamper");
        let done = system.write::<_, store::Error, _>(&self.store, move |tx| tx.execute(sql, &[]));
        done.await.expect("it runs")
    }

    pub(crate) async fn count(&self, sql: &'static str) -> u64 {
        let system = SystemPermit::new("test.count");
        let count = system.read::<_, store::Error, _>(&self.store, move |tx| {
            tx.row(sql, &[])?.map_or(Ok(0), |row| row.get(0))
        });
        count.await.expect("it runs")
    }
}
