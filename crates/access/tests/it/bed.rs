//! A zone of its own for each test: real store in a temporary folder, a clock that moves when told.

use std::{future::Future, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use access::{
    Access, Action, Actor, Config, Credential, Error, NewUser, Parts, Peer, Permit, Proof, Secret, SignedIn,
};
use model::Timestamp;
use store::{Engine, Store};
use tasks::{Clock, Tasks};
use tempfile::TempDir;

/// What every wait of these tests is bounded by.
pub(crate) const SOON: Duration = Duration::from_secs(20);
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct Bed {
    pub(crate) access: Access,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
    pub(crate) dir: Arc<TempDir>,
    config: Config,
    engine: Engine,
}

pub(crate) fn peer() -> Peer {
    at("192.0.2.7")
}

pub(crate) fn at(address: &str) -> Peer {
    let address: IpAddr = address.parse().expect("an address");
    Peer::new(Some(address), "test").with_request_id("r-1")
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

pub(crate) fn bearer(token: &Secret) -> Credential {
    Credential::Bearer(secret(token.expose()))
}

pub(crate) fn by_password(name: &str, password: &str) -> Proof {
    Proof::Password {
        user_name: name.to_owned(),
        password: secret(password),
    }
}

/// The error of a result whose good side cannot be shown.
pub(crate) fn refused<T>(answer: Result<T, Error>) -> Error {
    match answer {
        Ok(_) => panic!("should have been refused"),
        Err(error) => error,
    }
}

pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, work).await.expect("done in time")
}

/// Waits until `look` gives something.
pub(crate) async fn eventually<T, W: Future<Output = Option<T>>>(mut look: impl FnMut() -> W) -> T {
    soon(async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            // may sleep: what is waited for has no event, so it is looked at again
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}

/// Runs a test that measures its whole process in a process of its own.
pub(crate) fn alone(name: &str, work: impl Future<Output = ()>) {
    if std::env::args().any(|argument| argument == "--exact") {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        return runtime.expect("a runtime").block_on(work);
    }
    let own = std::env::current_exe().expect("this program");
    let run = std::process::Command::new(own)
        .args(["--exact", name])
        .output()
        .expect("runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
}

async fn open(
    dir: &TempDir,
    engine: &Engine,
    tasks: &Tasks,
    clock: &Clock,
    config: &Config,
) -> (Store, Result<Access, Error>) {
    let engine = engine.clone();
    let opened = Store::open(&store::Config { engine }, access::MIGRATIONS, tasks).await;
    let store = opened.expect("the store opens");
    let parts = Parts {
        store: store.clone(),
        tasks: tasks.child(),
        clock: clock.clone(),
        keys_dir: dir.path().join("keys"),
        zone_host: "soke.localhost".to_owned(),
        config: config.clone(),
    };
    let access = Access::start(parts).await;
    (store, access)
}

impl Bed {
    pub(crate) async fn new() -> Bed {
        Bed::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Bed {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("store").join("soke.db");
        Bed::on(Engine::Sqlite { path }, dir, config).await
    }

    /// A zone in a database of its own on the tests' PostgreSQL server.
    pub(crate) async fn postgres() -> Bed {
        let address = tokio::task::block_in_place(|| testbed::Postgres::shared().database());
        let engine = Engine::Postgres {
            url: address.expect("a database"),
            connections: 4,
        };
        Bed::on(
            engine,
            tempfile::tempdir().expect("a temporary folder"),
            Config::default(),
        )
        .await
    }

    async fn on(engine: Engine, dir: TempDir, config: Config) -> Bed {
        let (tasks, clock) = (Tasks::new(), Clock::manual(Timestamp::from_secs(1_700_000_000)));
        let (store, access) = open(&dir, &engine, &tasks, &clock, &config).await;
        let access = access.expect("the zone is made");
        Bed {
            access,
            store,
            clock,
            tasks,
            dir: Arc::new(dir),
            config,
            engine,
        }
    }

    /// A second server of the same zone, with the same key and clock.
    pub(crate) async fn beside(&self) -> Bed {
        let (tasks, clock, dir) = (Tasks::new(), self.clock.clone(), Arc::clone(&self.dir));
        let (config, engine) = (self.config.clone(), self.engine.clone());
        let (store, access) = open(&dir, &engine, &tasks, &clock, &config).await;
        let access = access.expect("the zone is opened");
        Bed {
            access,
            store,
            clock,
            tasks,
            dir,
            config,
            engine,
        }
    }

    pub(crate) fn seal_key(&self) -> PathBuf {
        self.dir.path().join("keys").join("seal.key")
    }

    /// Stops and starts again on the same folder; `between` runs while all is closed.
    pub(crate) async fn restarted(self, between: impl FnOnce(&TempDir)) -> Result<Bed, Error> {
        let Bed {
            access,
            store,
            clock,
            tasks,
            dir,
            config,
            engine,
        } = self;
        drop(access);
        tasks.stop(SOON).await;
        store.close().await;
        between(&dir);
        let tasks = Tasks::new();
        let (store, access) = open(&dir, &engine, &tasks, &clock, &config).await;
        match access {
            Ok(access) => Ok(Bed {
                access,
                store,
                clock,
                tasks,
                dir,
                config,
                engine,
            }),
            Err(error) => {
                store.close().await;
                Err(error)
            }
        }
    }

    /// The zone's owner, `ada`, signed in with the first code.
    pub(crate) async fn owner(&self) -> Session {
        let code = self
            .access
            .first_owner("ada")
            .await
            .expect("an owner is made")
            .expect("a code is given");
        self.session(Proof::LinkCode(code)).await
    }

    /// A new user, made by `by`, signed in.
    pub(crate) async fn user(&self, by: &Session, name: &str, role: &str) -> Session {
        let wanted = NewUser {
            name: name.to_owned(),
            role: role.to_owned(),
            unix_name: String::new(),
        };
        let permit = self
            .permit::<access::user::Create>(by)
            .await
            .expect("may make users");
        let (_, code) = self
            .access
            .create_user(&permit, &wanted)
            .await
            .expect("a user is made");
        self.session(Proof::LinkCode(code)).await
    }

    pub(crate) async fn session(&self, proof: Proof) -> Session {
        match self.access.sign_in(proof, &peer()).await {
            Ok(tokens) => self.carry(tokens).await,
            Err(error) => panic!("signs in: {error}"),
        }
    }

    pub(crate) async fn carry(&self, tokens: SignedIn) -> Session {
        let actor = self
            .access
            .authenticate(bearer(&tokens.access_token), &peer())
            .await;
        Session {
            actor: actor.expect("a fresh token is good"),
            tokens,
        }
    }

    pub(crate) async fn permit<A: Action>(&self, session: &Session) -> Result<Permit<A>, Error> {
        self.access.permit::<A>(&session.actor, &peer()).await
    }

    pub(crate) async fn set_password(&self, session: &Session, password: &str) {
        let permit = self
            .permit::<access::session::SetPassword>(session)
            .await
            .expect("may set a password");
        self.access
            .set_password(&permit, None, &secret(password))
            .await
            .expect("a password is set");
    }

    /// Tells whether the session's access token still opens the door.
    pub(crate) async fn stands(&self, session: &Session) -> bool {
        self.access
            .authenticate(bearer(&session.tokens.access_token), &peer())
            .await
            .is_ok()
    }

    /// Runs raw SQL that changes rows, as somebody would who can write to the database.
    pub(crate) async fn tamper(&self, sql: &'static str) -> u64 {
        let system = access::SystemPermit::new("test.tamper");
        let changed = system
            .write::<_, store::Error, _>(&self.store, move |tx| tx.execute(sql, &[]))
            .await;
        changed.expect("the statement runs")
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        let system = access::SystemPermit::new("test.count");
        let read = move |tx: &mut store::Tx<'_>| {
            let row = tx.row(sql, &[])?;
            row.map_or(Ok(0), |row| row.get::<i64>(0))
        };
        system
            .read::<_, store::Error, _>(&self.store, read)
            .await
            .expect("the query runs")
    }
}

/// A signed-in user.
pub(crate) struct Session {
    pub(crate) tokens: SignedIn,
    pub(crate) actor: Actor,
}
