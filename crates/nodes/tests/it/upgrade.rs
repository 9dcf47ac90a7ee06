//! A zone that was made before machines could be registered keeps its machines.

use access::SystemPermit;
use store::{Config, Engine, Migration, Store, Tx};
use tasks::Tasks;

async fn open(engine: &Engine, of_nodes: &[Migration]) -> (Store, Tasks) {
    let tasks = Tasks::new();
    let config = Config {
        engine: engine.clone(),
    };
    let migrations = [access::MIGRATIONS, of_nodes].concat();
    let store = Store::open(&config, &migrations, &tasks).await.expect("a store");
    (store, tasks)
}

async fn machines_stay(engine: Engine) {
    let (store, _tasks) = open(&engine, &nodes::MIGRATIONS[..1]).await;
    let add = |tx: &mut Tx<'_>| {
        tx.execute(
            "INSERT INTO nodes (id, name, tls_key, device_key, overlay_key, token_hash, address, joined_at) \
             VALUES ('1', 'one', 't', 'd', 'o', 'h', 3, 7)",
            &[],
        )
    };
    let system = SystemPermit::new("test.upgrade");
    system
        .write::<_, store::Error, _>(&store, add)
        .await
        .expect("as it was");
    store.close().await;
    let (store, _tasks) = open(&engine, nodes::MIGRATIONS).await;
    let look = |tx: &mut Tx<'_>| {
        let sql = "SELECT name, device_key, overlay_key, address FROM nodes WHERE id = '1'";
        let row = tx.row(sql, &[])?.expect("it is there");
        Ok::<(String, String, String, i64), store::Error>((
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
        ))
    };
    let found = system.read(&store, look).await.expect("it reads");
    assert_eq!(found, ("one".to_owned(), "d".to_owned(), "o".to_owned(), 3));
    // Keys stay unlike each other's, and may be missing.
    let adds = [
        (
            "INSERT INTO nodes (id, name, tls_key, device_key, token_hash, joined_at) VALUES ('2', '2', '2', 'd', 'h', 7)",
            false,
        ),
        (
            "INSERT INTO nodes (id, name, tls_key, token_hash, joined_at) VALUES ('3', '3', '3', 'h', 7)",
            true,
        ),
        (
            "INSERT INTO nodes (id, name, tls_key, token_hash, joined_at) VALUES ('4', '4', '4', 'h', 7)",
            true,
        ),
    ];
    for (sql, wanted) in adds {
        let added = system
            .write::<_, store::Error, _>(&store, move |tx| tx.execute(sql, &[]))
            .await;
        assert_eq!(added.is_ok(), wanted, "{sql}");
    }
    store.close().await;
}

#[tokio::test]
async fn machines_of_before_stay_with_their_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("zone.db");
    machines_stay(Engine::Sqlite { path }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machines_of_before_stay_on_postgresql_too() {
    let address = tokio::task::block_in_place(|| testbed::Postgres::shared().database());
    let engine = Engine::Postgres {
        url: address.expect("a database"),
        connections: 2,
    };
    machines_stay(engine).await;
}
