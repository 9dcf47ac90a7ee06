//! What is done once when the store opens: is the server fit, and is the schema ours.
//!
//! What it leaves to others: which migrations are pending (`migrate`).

use tasks::Clock;

use super::Session;
use crate::{Error, Migration, migrate};

/// The oldest server, as `server_version_num`.
const OLDEST: i64 = 130_000;
/// Servers that start together migrate one after the other.
const MIGRATIONS_LOCK: i64 = 0x736f_6b65_0002;

/// The store's own tables. A sequence gives revisions, so that none is given twice.
const OWN: Migration = Migration {
    room: "store",
    number: 1,
    sql: "CREATE SEQUENCE changes_rev AS BIGINT;
          CREATE TABLE changes (rev BIGINT PRIMARY KEY, topic TEXT NOT NULL, key TEXT NOT NULL);
          CREATE INDEX changes_topic ON changes (topic, rev);
          CREATE TABLE changes_trimmed (through BIGINT NOT NULL);
          INSERT INTO changes_trimmed (through) VALUES (0);",
};

/// Refuses a server or database on which the store's promises would not hold.
pub(super) fn check(session: &mut Session) -> Result<(), Error> {
    let facts = "SELECT CAST(current_setting('server_version_num') AS BIGINT), \
                 current_setting('server_encoding'), \
                 current_setting('transaction_read_only') = 'off', \
                 'B' < CAST('a' AS TEXT) AND 'a-c' < CAST('ab' AS TEXT) AND '_' < CAST('a' AS TEXT), \
                 current_setting('server_version')";
    let rows = session.rows(facts, &[])?;
    let row = rows.first().ok_or(Error::ManyRows)?;
    if row.get::<i64>(0)? < OLDEST {
        let what = format!("it is version {}", row.get::<String>(4)?);
        return Err(unfit(what, "use PostgreSQL 13 or newer"));
    }
    let cure =
        "make it with CREATE DATABASE ... TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'";
    if row.get::<String>(1)? != "UTF8" {
        return Err(unfit(format!("its encoding is {}", row.get::<String>(1)?), cure));
    }
    if !row.get::<bool>(2)? {
        return Err(unfit(
            "it only reads".to_owned(),
            "name the primary server, not a standby",
        ));
    }
    if !row.get::<bool>(3)? {
        return Err(unfit("it does not sort texts by their bytes".to_owned(), cure));
    }
    Ok(())
}

fn unfit(what: String, cure: &'static str) -> Error {
    Error::Unfit { what, cure }
}

/// Applies the pending migrations, all or none.
pub(super) fn migrate(session: &mut Session, listed: &[Migration]) -> Result<(), Error> {
    session.batch("BEGIN ISOLATION LEVEL READ COMMITTED")?;
    session.batch(&format!("SELECT pg_advisory_xact_lock({MIGRATIONS_LOCK})"))?;
    session.batch(&format!(
        "SET LOCAL client_min_messages = warning; {}",
        migrate::TABLE
    ))?;
    let rows = session.rows(migrate::READ, &[])?;
    let mut all = vec![OWN];
    all.extend_from_slice(listed);
    let now = Clock::system().now();
    for migration in migrate::pending(&all, &migrate::applied(&rows)?)? {
        let ran = session.batch_raw(migration.sql);
        ran.map_err(|source| migrate::failed(&migration, source))?;
        session.execute(migrate::RECORD, &migrate::record(&migration, now))?;
    }
    session.commit()
}

/// The newest revision that was ever recorded.
pub(super) fn newest_revision(session: &mut Session) -> Result<i64, Error> {
    let rows = session.rows("SELECT COALESCE(MAX(rev), 0) FROM changes", &[])?;
    rows.first().map_or(Ok(0), |row| row.get(0))
}
