//! Which migrations are to be applied, and when the store must refuse to start.
//!
//! What it leaves to others: the engines read what was applied and run what is pending, all in one
//! transaction. Tables that no migration made are never looked at.

use std::collections::BTreeMap;

use model::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::{Error, Fault, Row, Value};

/// One step of a room's schema. A step that was released is never edited: add a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// The room that owns the tables.
    pub room: &'static str,
    /// The number within the room, counted up from 1 without holes.
    pub number: u32,
    /// One or more statements that both engines understand.
    pub sql: &'static str,
}

/// A migration that the database has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) room: String,
    pub(crate) number: i64,
    pub(crate) checksum: String,
}

/// The table that remembers migrations. It is the only one made outside of a migration.
pub(crate) const TABLE: &str = "CREATE TABLE IF NOT EXISTS migrations (room TEXT NOT NULL, \
     number BIGINT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL, PRIMARY KEY (room, number))";
/// Reads [`TABLE`].
pub(crate) const READ: &str = "SELECT room, number, checksum FROM migrations ORDER BY room, number";
/// Adds to [`TABLE`].
pub(crate) const RECORD: &str =
    "INSERT INTO migrations (room, number, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)";

/// The checksum of a migration: SHA-256 of its text in hex.
pub(crate) fn checksum(migration: &Migration) -> String {
    hex::encode(Sha256::digest(migration.sql.as_bytes()))
}

/// Reads the answer to [`READ`].
pub(crate) fn applied(rows: &[Row]) -> Result<Vec<Applied>, Error> {
    let applied = rows.iter().map(|row| {
        Ok(Applied {
            room: row.get(0)?,
            number: row.get(1)?,
            checksum: row.get(2)?,
        })
    });
    applied.collect()
}

/// The parameters of [`RECORD`].
pub(crate) fn record(migration: &Migration, now: Timestamp) -> [Value; 4] {
    [
        Value::from(migration.room),
        Value::from(migration.number),
        Value::from(checksum(migration)),
        Value::from(now),
    ]
}

/// Says that the statements of a migration fail.
pub(crate) fn failed(migration: &Migration, source: Fault) -> Error {
    Error::ApplyMigration {
        room: migration.room.to_owned(),
        number: i64::from(migration.number),
        source,
    }
}

/// Picks the migrations to apply, in the order of the list.
pub(crate) fn pending(listed: &[Migration], applied: &[Applied]) -> Result<Vec<Migration>, Error> {
    let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
    for migration in listed {
        let number = i64::from(migration.number);
        let before = newest.insert(migration.room, number).unwrap_or(0);
        if number != before + 1 {
            let what = "the list is out of order: numbers of a room go up from 1 one by one";
            return Err(refuse(migration.room, number, what));
        }
    }
    let mut seen: BTreeMap<&str, i64> = BTreeMap::new();
    for one in applied {
        if newest
            .get(one.room.as_str())
            .is_none_or(|&known| known < one.number)
        {
            let what = "this database was used by a newer release: start that release, or restore a copy";
            return Err(refuse(&one.room, one.number, what));
        }
        seen.insert(&one.room, one.number);
    }
    for one in applied {
        let same =
            |migration: &&Migration| migration.room == one.room && i64::from(migration.number) == one.number;
        if listed.iter().find(same).map(checksum).as_deref() != Some(one.checksum.as_str()) {
            let what =
                "its text is not the one that was applied: restore the text and add a new migration instead";
            return Err(refuse(&one.room, one.number, what));
        }
    }
    let pending = listed
        .iter()
        .filter(|migration| {
            let done = seen.get(migration.room).copied().unwrap_or(0);
            i64::from(migration.number) > done
        })
        .copied();
    Ok(pending.collect())
}

fn refuse(room: &str, number: i64, what: &'static str) -> Error {
    Error::Migration {
        room: room.to_owned(),
        number,
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::{Applied, Migration, checksum, pending};

    const ONE: Migration = Migration {
        room: "a",
        number: 1,
        sql: "one",
    };
    const TWO: Migration = Migration {
        room: "a",
        number: 2,
        sql: "two",
    };
    const OTHER: Migration = Migration {
        room: "b",
        number: 1,
        sql: "other",
    };

    fn applied(migration: &Migration) -> Applied {
        Applied {
            room: migration.room.to_owned(),
            number: i64::from(migration.number),
            checksum: checksum(migration),
        }
    }

    #[test]
    fn what_was_not_applied_is_pending_in_the_order_of_the_list() {
        assert_eq!(pending(&[ONE, OTHER, TWO], &[]).expect("good"), [ONE, OTHER, TWO]);
        let seen = [applied(&ONE)];
        assert_eq!(pending(&[ONE, OTHER, TWO], &seen).expect("good"), [OTHER, TWO]);
    }

    #[test]
    fn changed_newer_and_misnumbered_migrations_are_refused() {
        let changed = Migration { sql: "uno", ..ONE };
        let cases: [(&[Migration], &[Applied], &str); 5] = [
            (&[changed], &[applied(&ONE)], "its text is not"),
            (&[ONE], &[applied(&ONE), applied(&TWO)], "newer release"),
            (&[ONE], &[applied(&OTHER)], "newer release"),
            (&[TWO], &[], "out of order"),
            (&[ONE, ONE], &[], "out of order"),
        ];
        for (listed, seen, why) in cases {
            let error = pending(listed, seen).expect_err(why).to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
