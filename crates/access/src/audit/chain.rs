//! The chain of hashes over the audit rows: lengthening it, and finding where it was tampered with.
//!
//! Each row's hash covers the row, its place and the hash before it. The head (last place and hash) lies sealed
//! apart from the rows, so whoever can write to the tables but has no seal key can neither cut the tail nor
//! write the chain anew unseen. What it leaves to others: an attacker who also puts an old sealed head back,
//! together with the rows of that moment, is not found; copy heads elsewhere where that matters.

use model::Timestamp;
use store::{Store, Tx, params};

use super::record::{self, Record};
use crate::{Error, seal::Seal};

/// The hash before the first row.
const START: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The name of the sealed head.
const HEAD: &str = "audit/head";
/// Rows sealed or verified per transaction.
const BATCH: u32 = 1000;

/// What a look over the whole chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every sealed row is as it was written, in its place.
    Whole {
        /// How many rows were looked at.
        rows: i64,
    },
    /// The chain was tampered with.
    Broken(Breach),
}

/// The first place where the chain is not as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breach {
    /// The row at this place was changed, or another row was put there.
    Changed {
        /// The place.
        seq: i64,
    },
    /// The row at this place is gone.
    Missing {
        /// The place.
        seq: i64,
    },
    /// Rows from this place on are gone: the sealed head stands further on.
    Cut {
        /// The first missing place.
        seq: i64,
        /// The place of the sealed head.
        head: i64,
    },
    /// Every hash fits, but not to the sealed head: the chain was written anew, or the head was changed.
    Rewritten {
        /// The place of the sealed head.
        head: i64,
    },
}

struct Head {
    seq: i64,
    hash: String,
}

fn read_head(tx: &mut Tx<'_>, seal: &Seal) -> Result<Head, Error> {
    let broken = || Error::SealBroken {
        name: HEAD.to_owned(),
    };
    let text = seal.open(tx, HEAD)?.ok_or_else(broken)?;
    let text = std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.split_once(' '));
    let head = text.and_then(|(seq, hash)| {
        Some(Head {
            seq: seq.parse().ok()?,
            hash: hash.to_owned(),
        })
    });
    head.ok_or(Error::Row { what: "audit head" })
}

/// Seals the head of a chain without rows, when the zone is made: from then on a missing head is a breach.
pub(crate) fn begin(tx: &mut Tx<'_>, seal: &Seal, now: Timestamp) -> Result<(), Error> {
    seal.put(tx, HEAD, format!("0 {START}").as_bytes(), now)
}

/// Tells whether a row waits for its place.
pub(super) fn waiting(tx: &mut Tx<'_>) -> Result<bool, Error> {
    Ok(tx
        .row("SELECT id FROM audit WHERE seq IS NULL LIMIT 1", &[])?
        .is_some())
}

/// Gives the oldest rows without a place their place and hash.
pub(super) fn lengthen(tx: &mut Tx<'_>, seal: &Seal, now: Timestamp) -> Result<(), Error> {
    tx.lock_row("sealed", "name", HEAD.into())?;
    let Head { mut seq, mut hash } = read_head(tx, seal)?;
    let waiting = tx.rows(
        &record::query("WHERE seq IS NULL ORDER BY done_at, id LIMIT ?1"),
        params![BATCH],
    )?;
    for row in &waiting {
        let record = Record::read(row)?;
        seq += 1;
        hash = record.chained(seq, &hash);
        tx.execute(
            "UPDATE audit SET seq = ?1, hash = ?2 WHERE id = ?3 AND seq IS NULL",
            params![seq, hash.as_str(), record.id.as_str()],
        )?;
    }
    if !waiting.is_empty() {
        seal.put(tx, HEAD, format!("{seq} {hash}").as_bytes(), now)?;
    }
    Ok(())
}

/// Looks over the whole chain, in pages, up to the head of the moment when it began.
pub(super) async fn verify(store: &Store, seal: &Seal) -> Result<Verdict, Error> {
    let key = seal.clone();
    let head = match store.read(move |tx| read_head(tx, &key)).await {
        Err(Error::SealBroken { .. }) => return Ok(Verdict::Broken(Breach::Rewritten { head: 0 })),
        other => other?,
    };
    let (mut seq, mut hash) = (0, START.to_owned());
    while seq < head.seq {
        let query = record::query("WHERE seq > ?1 ORDER BY seq LIMIT ?2");
        let page = move |tx: &mut Tx<'_>| {
            let rows = tx.rows(&query, params![seq, BATCH])?;
            rows.iter()
                .map(|row| Ok(Record::read(row)?))
                .collect::<Result<Vec<_>, Error>>()
        };
        let page = store.read(page).await?;
        if page.is_empty() {
            return Ok(Verdict::Broken(Breach::Cut {
                seq: seq + 1,
                head: head.seq,
            }));
        }
        for record in page.iter().take_while(|record| record.seq <= head.seq) {
            if let Some(breach) = check(record, seq, &hash) {
                return Ok(Verdict::Broken(breach));
            }
            (seq, hash) = (record.seq, record.hash.clone());
        }
    }
    if hash == head.hash {
        Ok(Verdict::Whole { rows: seq })
    } else {
        Ok(Verdict::Broken(Breach::Rewritten { head: head.seq }))
    }
}

fn check(record: &Record, before: i64, hash: &str) -> Option<Breach> {
    if record.seq != before + 1 {
        return Some(Breach::Missing { seq: before + 1 });
    }
    (record.chained(record.seq, hash) != record.hash).then_some(Breach::Changed { seq: record.seq })
}
