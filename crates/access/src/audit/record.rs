//! The stored form of an audit row, and the bytes of it that are hashed.
//!
//! What it leaves to others: writing rows (`audit`) and the chain (`chain`).

use aws_lc_rs::digest;
use model::Timestamp;
use store::Row;

/// One row of the trail, as sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The row's place in the chain, from 1.
    pub seq: i64,
    /// The row's id.
    pub id: String,
    /// When it was done.
    pub done_at: Timestamp,
    /// The request that asked for it.
    pub request: String,
    /// "user", "front end", "node", "anonymous" or "system".
    pub actor_kind: String,
    /// The user's or the machine's id; empty for others.
    pub actor_id: String,
    /// The user's, front end's, machine's or part's name; empty where nobody is known.
    pub actor_name: String,
    /// The session; empty where there was none.
    pub session_id: String,
    /// The name of the user for whom a front end spoke; empty where nobody was between.
    pub speaks_for: String,
    /// The door it came through.
    pub door: String,
    /// The address it came from.
    pub address: String,
    /// The action's name.
    pub action: String,
    /// What it was done to.
    pub object: String,
    /// "done" or "refused".
    pub outcome: String,
    /// Why it ended so; empty where that needs no word.
    pub reason: String,
    /// How many times, where tries are counted together.
    pub times: u32,
    /// The hash that the sealer gave, 64 hex digits.
    pub hash: String,
}

/// The query for whole rows with this end.
pub(super) fn query(end: &str) -> String {
    const COLUMNS: &str = "seq, id, done_at, request, actor_kind, actor_id, actor_name, session_id, \
         speaks_for, door, address, action, object, outcome, reason, times, hash";
    format!("SELECT {COLUMNS} FROM audit {end}")
}

impl Record {
    /// Reads a row of [`query`]; one that is not sealed yet has place 0 and no hash.
    pub(super) fn read(row: &Row) -> Result<Self, store::Error> {
        Ok(Self {
            seq: row.get::<Option<i64>>(0)?.unwrap_or(0),
            id: row.get(1)?,
            done_at: row.get(2)?,
            request: row.get(3)?,
            actor_kind: row.get(4)?,
            actor_id: row.get(5)?,
            actor_name: row.get(6)?,
            session_id: row.get(7)?,
            speaks_for: row.get(8)?,
            door: row.get(9)?,
            address: row.get(10)?,
            action: row.get(11)?,
            object: row.get(12)?,
            outcome: row.get(13)?,
            reason: row.get(14)?,
            times: row.get(15)?,
            hash: row.get::<Option<String>>(16)?.unwrap_or_default(),
        })
    }

    /// The hash of this row at place `seq` after `previous`: every field with its length before it, so that
    /// no two different rows give the same bytes.
    pub(super) fn chained(&self, seq: i64, previous: &str) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        let (seq, done_at, times) = (
            seq.to_string(),
            self.done_at.micros().to_string(),
            self.times.to_string(),
        );
        let fields = [
            "soke audit 1",
            previous,
            &seq,
            &self.id,
            &done_at,
            &self.request,
            &self.actor_kind,
            &self.actor_id,
            &self.actor_name,
            &self.session_id,
            &self.speaks_for,
            &self.door,
            &self.address,
            &self.action,
            &self.object,
            &self.outcome,
            &self.reason,
            &times,
        ];
        for field in fields {
            context.update(&u64::try_from(field.len()).unwrap_or(u64::MAX).to_le_bytes());
            context.update(field.as_bytes());
        }
        hex::encode(context.finish())
    }
}
