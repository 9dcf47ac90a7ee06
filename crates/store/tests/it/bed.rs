//! A place for a store of one test, on either engine.

use std::time::Duration;

use store::{Config, Engine, Error, Migration, Store, Tx};
use tasks::Tasks;
use tempfile::TempDir;
use testbed::Postgres;

/// The tables that most tests use.
pub(crate) const TABLES: Migration = Migration {
    room: "bed",
    number: 1,
    sql:
        "CREATE TABLE things (key TEXT PRIMARY KEY, n BIGINT NOT NULL CHECK (n >= 0), note TEXT, yes BOOLEAN);
          CREATE TABLE parts (key TEXT PRIMARY KEY, thing TEXT NOT NULL REFERENCES things (key));",
};

/// Where a test keeps its store.
pub(crate) struct Bed {
    pub(crate) config: Config,
    pub(crate) tasks: Tasks,
    pub(crate) folder: TempDir,
}

/// What a test's closure answers when it refuses.
#[derive(Debug)]
pub(crate) enum Refusal {
    Store(Error),
    Mine(#[expect(dead_code, reason = "read in the output of a failed test")] &'static str),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Store(error)
    }
}

impl Bed {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("zone/store.db");
        Self::on(Engine::Sqlite { path }, folder)
    }

    pub(crate) fn postgres() -> Self {
        Self::on_server(Postgres::shared())
    }

    pub(crate) fn on_server(server: &Postgres) -> Self {
        let url = server.database().expect("a database");
        let folder = tempfile::tempdir().expect("a folder");
        Self::on(Engine::Postgres { url, connections: 4 }, folder)
    }

    fn on(engine: Engine, folder: TempDir) -> Self {
        Self {
            config: Config { engine },
            tasks: Tasks::new(),
            folder,
        }
    }

    pub(crate) async fn try_open(&self, migrations: &[Migration]) -> Result<Store, Error> {
        Store::open(&self.config, migrations, &self.tasks).await
    }

    pub(crate) async fn open(&self) -> Store {
        self.try_open(&[TABLES]).await.expect("the store opens")
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.config.engine, Engine::Sqlite { .. })
    }
}

/// Writes with the store's own error.
pub(crate) async fn write<T, F>(store: &Store, work: F) -> Result<T, Error>
where
    F: Fn(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    T: Send + 'static,
{
    store.write(work).await
}

/// Reads one number.
pub(crate) async fn number(store: &Store, sql: &'static str) -> i64 {
    let read = store.read(move |tx| -> Result<i64, Error> {
        let row = tx.row(sql, &[])?;
        row.expect("one row").get(0)
    });
    read.await.expect("the number is read")
}

/// Waits until the condition holds.
pub(crate) async fn eventually(what: &str, holds: impl AsyncFnMut() -> bool) {
    let held = testbed::eventually(Duration::from_secs(20), holds).await;
    assert!(held, "not within 20 s: {what}");
}

/// Makes one test of each function for each engine.
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::bed::Bed::sqlite()).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::bed::Bed::postgres()).await;
            })*
        }
    };
}

pub(crate) use on_both_engines;

/// How often a test is to be repeated: as the project promises it, or less often in everyday runs.
pub(crate) fn rounds(everyday: u32, promised: u32) -> u32 {
    let full = std::env::var("SOKE_TEST_FULL").is_ok_and(|value| value == "1");
    if full { promised } else { everyday }
}
