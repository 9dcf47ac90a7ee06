//! Durable writes per second: what group commit makes of many writers.
//!
//! Keys of 8 bytes, values of 256, each write its own transaction that is answered when it is on the disk. The
//! figures of etcd 3.4.23 beside them were taken on a machine of the same kind (2 cores, virtual disk) through
//! gRPC on loopback, with 1, 16 and 64 puts under way; ours are calls of the store itself, before any wire.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use store::{Config, Engine, Error, Migration, Store, Tx, params};
use tasks::{Policy, Tasks};

use crate::{line, timed};

const MIGRATIONS: &[Migration] = &[Migration {
    room: "bench",
    number: 1,
    sql: "CREATE TABLE puts (k TEXT PRIMARY KEY, v TEXT NOT NULL)",
}];

/// Writers, and etcd's thousands of puts per second with as many.
const WRITERS: &[(u64, Option<f64>)] = &[(1, Some(3.1)), (16, Some(17.5)), (64, Some(28.2)), (256, None)];

/// How long each number of writers writes.
const FOR: Duration = Duration::from_secs(3);

/// Prints the report; holds if the store with 64 writers is at least as fast as etcd.
pub(crate) fn report() -> Result<bool> {
    let folder = tempfile::tempdir()?;
    fsync(folder.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let tasks = Tasks::new();
        let path = folder.path().join("store/soke.db");
        let config = Config {
            engine: Engine::Sqlite { path },
        };
        let store = Store::open(&config, MIGRATIONS, &tasks).await?;
        let mut held = true;
        for (writers, etcd) in WRITERS {
            let rate = rate(&store, &tasks, *writers).await?;
            let bound = etcd.map_or(String::new(), |etcd| format!("etcd {etcd:.1} k/s"));
            let met = *writers != 64 || etcd.is_none_or(|etcd| rate / 1000.0 >= etcd);
            held &= line(
                &format!("commit: {writers} writers"),
                &format!("{:.1} k/s", rate / 1000.0),
                &bound,
                met,
            );
        }
        store.close().await;
        Ok(held)
    })
}

/// Prints what the disk needs for one sync, because every figure below stands on it.
fn fsync(folder: &std::path::Path) -> Result<()> {
    let mut file = std::fs::File::create(folder.join("sync"))?;
    let rounds = 200;
    let (written, took) = timed(|| -> std::io::Result<()> {
        for _ in 0..rounds {
            file.write_all(&[7; 4096])?;
            file.sync_data()?;
        }
        Ok(())
    });
    written?;
    line(
        "commit: one sync of this disk",
        &format!("{:.0} us", took.as_secs_f64() * 1e6 / f64::from(rounds)),
        "",
        true,
    );
    Ok(())
}

/// Writes with this many writers for a while; answers writes per second.
async fn rate(store: &Store, tasks: &Tasks, writers: u64) -> Result<f64> {
    let group = tasks.child();
    let over = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let failed = Arc::new(AtomicBool::new(false));
    for writer in 0..writers {
        let (store, over, done, failed) = (store.clone(), over.clone(), done.clone(), failed.clone());
        group.spawn(format!("bench.writer.{writer}"), Policy::MayEnd, async move {
            let value = "x".repeat(256);
            for number in 0_u64.. {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                // At most ten thousand keys for each writer, so that the table stays small.
                let (key, value) = (format!("{writer:04x}{:04x}", number % 10_000), value.clone());
                let put = move |tx: &mut Tx<'_>| put(tx, &key, &value);
                match store.write(put).await {
                    Ok(_rows) => done.fetch_add(1, Ordering::Relaxed),
                    Err(_error) => return failed.store(true, Ordering::Relaxed),
                };
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

fn put(tx: &mut Tx<'_>, key: &str, value: &str) -> Result<u64, Error> {
    const PUT: &str = "INSERT INTO puts (k, v) VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = excluded.v";
    tx.execute(PUT, params![key, value])
}
