//! SQLite: one file, one writer thread, a few reader threads.
//!
//! What it leaves to others: what the closures do.

mod file;
pub(crate) mod statement;
mod writer;

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use model::Timestamp;
use rusqlite::{Connection, config::DbConfig};
use tasks::{Clock, Policy, Tasks};

use crate::{
    Call, Error, Migration, Shared, migrate,
    queue::{self, Queues, SharedEnd},
    tx::{self, Tx},
};

/// How many threads read.
const READERS: usize = 4;
/// How many prepared statements each connection keeps.
const STATEMENTS: usize = 256;

/// The store's own tables. AUTOINCREMENT keeps a trimmed revision from being given again.
const OWN: Migration = Migration {
    room: "store",
    number: 1,
    sql:
        "CREATE TABLE changes (rev INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, key TEXT NOT NULL);
          CREATE INDEX changes_topic ON changes (topic, rev);
          CREATE TABLE changes_trimmed (through BIGINT NOT NULL);
          INSERT INTO changes_trimmed (through) VALUES (0);",
};

/// Opens the file, migrates it and starts the threads.
pub(crate) fn open(path: &Path, migrations: &[Migration], shared: &Shared) -> Result<Queues, Error> {
    let (path, lock) = file::prepare(path)?;
    // Every thread holds the lock, so the file is free only when the last one has ended.
    let lock = Arc::new(lock);
    let connection = connect(&path, true)?;
    migrate(&connection, migrations)?;
    let (queues, ends) = Queues::new();
    let writer = writer::Writer::new(connection, shared);
    let held = Arc::clone(&lock);
    let run = move || {
        writer.run(ends.writes);
        drop(held);
    };
    start(&shared.tasks, "store.writer", run)?;
    let queue = Arc::new(Mutex::new(ends.reads));
    for number in 1..=READERS {
        let connection = connect(&path, false)?;
        let (queue, held) = (Arc::clone(&queue), Arc::clone(&lock));
        let run = move || {
            read(&connection, &queue);
            drop(connection);
            drop(held);
        };
        start(&shared.tasks, &format!("store.reader{number}"), run)?;
    }
    Ok(queues)
}

fn start(tasks: &Tasks, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let started = tasks.thread(name, Policy::StopAll, run);
    started.map_err(|source| Error::Thread { source })
}

fn connect(path: &Path, writes: bool) -> Result<Connection, Error> {
    let opened = Connection::open(path).and_then(|connection| {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.execute_batch(
            "PRAGMA busy_timeout = 5000;
             PRAGMA foreign_keys = ON;
             PRAGMA case_sensitive_like = ON;
             PRAGMA temp_store = MEMORY;",
        )?;
        if writes {
            let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
            if mode != "wal" {
                return Err(rusqlite::Error::InvalidQuery);
            }
            // A commit is answered after its log is on the disk; the log is copied back every 4000 pages and
            // cut to 64 MiB where a burst has made it longer.
            connection.execute_batch(
                "PRAGMA synchronous = FULL;
                 PRAGMA wal_autocheckpoint = 4000;
                 PRAGMA journal_size_limit = 67108864;",
            )?;
        } else {
            connection.execute_batch("PRAGMA query_only = ON;")?;
        }
        Ok(connection)
    });
    opened.map_err(|error| Error::Open {
        step: "open the SQLite database",
        source: statement::fault(&error),
    })
}

fn migrate(connection: &Connection, listed: &[Migration]) -> Result<(), Error> {
    let step = |error: &rusqlite::Error| Error::Open {
        step: "read which migrations were applied",
        source: statement::fault(error),
    };
    let begun = connection.execute_batch("BEGIN IMMEDIATE");
    begun
        .and_then(|()| connection.execute_batch(migrate::TABLE))
        .map_err(|error| step(&error))?;
    let applied = statement::rows(connection, migrate::READ, &[])?;
    let mut all = vec![OWN];
    all.extend_from_slice(listed);
    let now = Clock::system().now();
    for migration in migrate::pending(&all, &migrate::applied(&applied)?)? {
        apply(connection, &migration, now)?;
    }
    let committed = connection.execute_batch("COMMIT");
    committed.map_err(|error| step(&error))
}

fn apply(connection: &Connection, migration: &Migration, now: Timestamp) -> Result<(), Error> {
    let failed = |source| migrate::failed(migration, source);
    let ran = connection.execute_batch(migration.sql);
    ran.map_err(|error| failed(statement::fault(&error)))?;
    if connection.is_autocommit() {
        let text = "a migration may not end the transaction it runs in";
        return Err(failed(crate::Fault::new("", text)));
    }
    statement::execute(connection, migrate::RECORD, &migrate::record(migration, now)).map(drop)
}

fn read(connection: &Connection, queue: &SharedEnd) {
    while let Some(call) = queue::next(queue) {
        read_one(connection, call);
    }
}

fn read_one(connection: &Connection, mut call: Box<dyn Call>) {
    if call.abandoned() {
        return;
    }
    if let Err(error) = statement::execute(connection, "BEGIN", &[]) {
        call.answer(Err(error));
        return;
    }
    let mut tx = Tx::new(tx::Connection::Sqlite(connection), false);
    let ran = call.run(&mut tx);
    let (broken, _) = tx.end();
    let outcome = tx::verdict(ran, broken).map(drop);
    if !connection.is_autocommit()
        && let Err(fault) = statement::execute(connection, "ROLLBACK", &[])
    {
        tracing::warn!(?fault, "a read does not end");
    }
    call.answer(outcome);
}
