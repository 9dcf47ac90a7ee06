//! The stored form: one row for each key that ever had a value.
//!
//! What it leaves to others: rights and limits.

use model::Timestamp;
use store::{Tx, params};

use crate::{Key, TOPIC};

/// A value and the revision that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: String,
    /// The revision: 1 for the first write of the key, and one more with each further one.
    pub revision: u64,
}

/// A row: the value, none where it was deleted, and the revision of the last write.
pub(crate) struct Row {
    pub(crate) value: Option<String>,
    pub(crate) revision: u64,
}

/// The row of a key, where it ever had a value.
pub(crate) fn read(tx: &mut Tx<'_>, key: &Key) -> Result<Option<Row>, store::Error> {
    let row = tx.row(
        "SELECT value, revision FROM tree WHERE key = ?1",
        params![key.as_str()],
    )?;
    row.map(|row| {
        Ok(Row {
            value: row.get(0)?,
            revision: row.get(1)?,
        })
    })
    .transpose()
}

/// Writes a value, or its deletion, and gives the new revision.
pub(crate) fn write(
    tx: &mut Tx<'_>,
    key: &Key,
    value: Option<&str>,
    now: Timestamp,
) -> Result<u64, store::Error> {
    let size = value.map_or(0, |value| i64::try_from(value.len()).unwrap_or(i64::MAX));
    let rows = tx.rows(
        "INSERT INTO tree (key, revision, size, changed_at, value) VALUES (?1, 1, ?2, ?3, CAST(?4 AS TEXT)) \
         ON CONFLICT (key) DO UPDATE SET revision = tree.revision + 1, size = excluded.size, \
         changed_at = excluded.changed_at, value = excluded.value RETURNING revision",
        params![key.as_str(), size, now, value],
    )?;
    tx.change(TOPIC, key.as_str())?;
    rows.first().map_or(Ok(0), |row| row.get(0))
}

/// How many keys lie below a place, deleted ones included, and how many bytes their values have.
pub(crate) fn usage(tx: &mut Tx<'_>, below: &str) -> Result<(u64, u64), store::Error> {
    let (from, to) = range(below);
    let row = tx.row(
        "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM tree WHERE key >= ?1 AND key < ?2",
        params![from, to],
    )?;
    row.map_or(Ok((0, 0)), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// All keys below a place lie from the first of these up to the second: `0` follows `/` among the bytes.
pub(crate) fn range(below: &str) -> (String, String) {
    (format!("{below}/"), format!("{below}0"))
}
