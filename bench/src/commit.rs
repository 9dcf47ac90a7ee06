//! Durable writes per second: what group commit makes of many writers.
//!
//! Keys of 8 bytes, values of 256, each write its own transaction that is answered when it is on the disk; `a commit`
//! says how many of them shared one. `and a change` records a change in the same transaction, as nearly every write
//! of Soke does. The figures of etcd 3.4.23 beside them were taken on a machine of the same kind (2 cores, virtual
//! disk) through gRPC on loopback, with 1, 16 and 64 puts under way; ours are calls of the store itself, before any
//! wire. Where etcd is installed (`apt-get install etcd-server`) it runs here too, on the same disk, and its
//! figure is the bound. Where PostgreSQL is installed
//! the store runs on it too, over a Unix socket.

use std::{
    future::Future,
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use store::{Config, Engine, Error, Migration, Store, Tx, params};
use tasks::{Policy, Tasks};
use testbed::Postgres;

use crate::{etcd, line, timed};

const MIGRATIONS: &[Migration] = &[Migration {
    room: "bench",
    number: 1,
    sql: "CREATE TABLE puts (k TEXT PRIMARY KEY, v TEXT NOT NULL)",
}];

/// Writers, and the puts per second of etcd elsewhere with as many.
const WRITERS: &[(u64, Option<f64>)] = &[
    (1, Some(3_100.0)),
    (16, Some(17_500.0)),
    (64, Some(28_200.0)),
    (256, None),
];

/// How long each number of writers writes.
const FOR: Duration = Duration::from_secs(3);

/// Connections to PostgreSQL.
const CONNECTIONS: usize = 4;

/// Prints the report; holds if the store with 64 writers is at least as fast as etcd.
pub(crate) fn report() -> Result<bool> {
    let folder = tempfile::tempdir()?;
    fsync(folder.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let tasks = Tasks::new();
    let held = runtime.block_on(embedded(folder.path(), &tasks))?;
    match Postgres::start_durable() {
        Ok(server) => {
            let engine = Engine::Postgres {
                url: server.database()?,
                connections: CONNECTIONS,
            };
            runtime.block_on(server_rates(engine, &tasks))?;
        }
        Err(missing) => {
            line("commit: PostgreSQL", "not run", &missing.to_string(), true);
        }
    }
    Ok(held)
}

/// The store on SQLite and etcd, by number of writers; holds if the store with 64 is at least as fast.
async fn embedded(folder: &Path, tasks: &Tasks) -> Result<bool> {
    let path = folder.join("store/soke.db");
    let engine = Engine::Sqlite { path };
    let store = Store::open(&Config { engine }, MIGRATIONS, tasks).await?;
    let etcd = etcd::Server::start(folder).await?;
    let mut held = true;
    for (writers, elsewhere) in WRITERS {
        let (ours, group) = store_rate(&store, tasks, *writers, false).await?;
        let here = match &etcd {
            Some(server) => {
                let client = server.client()?;
                Some(
                    rate(tasks, *writers, move |key, value| {
                        etcd::put(client.clone(), key, value)
                    })
                    .await?,
                )
            }
            None => None,
        };
        let bound = here.or(*elsewhere);
        let met = *writers != 64 || bound.is_none_or(|etcd| ours >= etcd);
        let told = |rate: Option<f64>| rate.map_or("-".to_owned(), thousands);
        let beside = format!(
            "{group:>5.1} a commit   etcd here {}, elsewhere {}",
            told(here),
            told(*elsewhere)
        );
        held &= line(
            &format!("commit: {writers} writers"),
            &thousands(ours),
            &beside,
            met,
        );
    }
    let (ours, group) = store_rate(&store, tasks, 64, true).await?;
    let beside = format!("{group:>5.1} a commit");
    line(
        "commit: 64 writers, and a change",
        &thousands(ours),
        &beside,
        true,
    );
    store.close().await;
    Ok(held)
}

fn thousands(rate: f64) -> String {
    format!("{:.1} k/s", rate / 1000.0)
}

/// The store on PostgreSQL.
async fn server_rates(engine: Engine, tasks: &Tasks) -> Result<()> {
    let store = Store::open(&Config { engine }, MIGRATIONS, tasks).await?;
    for (what, change) in [
        ("commit: PostgreSQL, 64 writers", false),
        ("commit: PostgreSQL, and a change", true),
    ] {
        let (rate, group) = store_rate(&store, tasks, 64, change).await?;
        line(what, &thousands(rate), &format!("{group:>5.1} a commit"), true);
    }
    store.close().await;
    Ok(())
}

/// Writes to the store; answers writes per second and writes per commit.
async fn store_rate(store: &Store, tasks: &Tasks, writers: u64, change: bool) -> Result<(f64, f64)> {
    let before = store.counts();
    let target = store.clone();
    let write = move |key: String, value: String| {
        let store = target.clone();
        async move {
            let put = move |tx: &mut Tx<'_>| put(tx, &key, &value, change);
            store.write(put).await.is_ok()
        }
    };
    let rate = rate(tasks, writers, write).await?;
    let after = store.counts();
    let commits = u32::try_from(after.commits - before.commits)?;
    let closures = u32::try_from(after.closures - before.closures)?;
    Ok((rate, f64::from(closures) / f64::from(commits.max(1))))
}

/// Prints what the disk needs for one sync, because every figure below stands on it: of a file that grows, and of one
/// that is written again in its place, as the store's log mostly is.
fn fsync(folder: &Path) -> Result<()> {
    const ROUNDS: u32 = 500;
    let mut file = std::fs::File::create(folder.join("sync"))?;
    for (what, place) in [
        ("commit: one sync, file grows", None),
        ("commit: one sync, in place", Some(0)),
    ] {
        let (written, took) = timed(|| -> std::io::Result<()> {
            for _ in 0..ROUNDS {
                if let Some(place) = place {
                    file.seek(SeekFrom::Start(place))?;
                }
                file.write_all(&[7; 4096])?;
                file.sync_data()?;
            }
            Ok(())
        });
        written?;
        let figure = format!("{:.0} us", took.as_secs_f64() * 1e6 / f64::from(ROUNDS));
        line(what, &figure, "", true);
    }
    Ok(())
}

/// Writes with this many writers for a while; answers writes per second.
async fn rate<F, D>(tasks: &Tasks, writers: u64, write: F) -> Result<f64>
where
    F: Fn(String, String) -> D + Clone + Send + 'static,
    D: Future<Output = bool> + Send + 'static,
{
    let group = tasks.child();
    let over = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let failed = Arc::new(AtomicBool::new(false));
    for writer in 0..writers {
        let (write, over, done, failed) = (write.clone(), over.clone(), done.clone(), failed.clone());
        group.spawn(format!("bench.writer.{writer}"), Policy::MayEnd, async move {
            let value = "x".repeat(256);
            for number in 0_u64.. {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                // At most ten thousand keys for each writer, so that the table stays small.
                let key = format!("{writer:04x}{:04x}", number % 10_000);
                if !write(key, value.clone()).await {
                    return failed.store(true, Ordering::Relaxed);
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(FOR / 6).await;
    let before = done.load(Ordering::Relaxed);
    tokio::time::sleep(FOR).await;
    let after = done.load(Ordering::Relaxed);
    over.store(true, Ordering::Relaxed);
    group.stop(Duration::from_secs(10)).await;
    (!failed.load(Ordering::Relaxed))
        .then_some(())
        .context("a write failed")?;
    Ok(u32::try_from(after - before).map(f64::from)? / FOR.as_secs_f64())
}

fn put(tx: &mut Tx<'_>, key: &str, value: &str, change: bool) -> Result<(), Error> {
    const PUT: &str = "INSERT INTO puts (k, v) VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = excluded.v";
    tx.execute(PUT, params![key, value])?;
    if change {
        tx.change("puts", key)?;
    }
    Ok(())
}
