//! Smoke.
use store::{Config, Engine, Error, Migration, Store, params};

const MIGRATIONS: &[Migration] = &[Migration {
    room: "t",
    number: 1,
    sql: "CREATE TABLE t (k TEXT PRIMARY KEY, n BIGINT NOT NULL, yes BOOLEAN NOT NULL)",
}];

#[tokio::test]
async fn smoke() {
    let folder = tempfile::tempdir().unwrap();
    let tasks = tasks::Tasks::new();
    let config = Config {
        engine: Engine::Sqlite {
            path: folder.path().join("sub/store.db"),
        },
    };
    let store = Store::open(&config, MIGRATIONS, &tasks).await.unwrap();
    let mut watch = store.watch("t");
    watch.changed().await;
    let rev = store
        .write(|tx| {
            tx.execute(
                "INSERT INTO t (k, n, yes) VALUES (?1, ?2, ?3)",
                params!["a", 1_i64, true],
            )?;
            tx.change("t", "a")
        })
        .await
        .unwrap();
    assert_eq!(rev, 1);
    watch.changed().await;
    assert_eq!(watch.since(0).await.unwrap().len(), 1);
    let again: Result<u64, Error> = store
        .write(|tx| {
            tx.execute(
                "INSERT INTO t (k, n, yes) VALUES (?1, ?2, ?3)",
                params!["a", 1_i64, true],
            )
        })
        .await;
    assert!(again.unwrap_err().is_unique_violation());
    let other = Store::open(&config, MIGRATIONS, &tasks).await;
    assert!(matches!(other, Err(Error::InUse { .. })));
    drop(watch);
    store.close().await;
    let store = Store::open(&config, MIGRATIONS, &tasks).await.unwrap();
    let n: Result<i64, Error> = store
        .read(|tx| tx.row("SELECT n FROM t WHERE yes", &[])?.unwrap().get(0))
        .await;
    assert_eq!(n.unwrap(), 1);
}
