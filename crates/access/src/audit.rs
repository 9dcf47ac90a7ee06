//! The audit trail: who did what, for whom, from where, and how it ended.
//!
//! A row is written in the transaction of the deed itself. Within a second the sealer gives each row a place
//! in a chain of hashes and seals the chain's head, so that a changed, dropped or moved row, or a cut tail, is
//! found and named by [`Access::verify_audit`](crate::Access::verify_audit). Denials of callers whom nobody
//! knows are counted by address and minute. What it leaves to others: reads, which are only counted.

mod anonymous;
mod chain;
mod record;
mod sealer;

use std::{collections::BTreeMap, sync::PoisonError};

use model::Timestamp;
use store::{Row, Store, Tx, params};

use crate::{Access, Actor, Error, Peer, Permit};

pub use crate::action::trail::Read;
pub(crate) use anonymous::Anonymous;
pub(crate) use chain::begin;
pub use chain::{Breach, Verdict};
pub use record::Record;
pub(crate) use sealer::run as run_sealer;

/// How a deed ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Refused => "refused",
        }
    }
}

/// A row before it is written.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    actor_kind: &'static str,
    actor_id: String,
    actor_name: String,
    session_id: String,
    speaks_for: String,
    door: &'static str,
    address: String,
    request: String,
    action: &'static str,
    object: String,
    reason: String,
    times: u32,
}

impl Entry {
    /// A deed of a signed-in user or of a front end.
    pub(crate) fn of(actor: &Actor, peer: &Peer, action: &'static str) -> Self {
        let mut entry = Self::of_nobody(peer, action);
        match actor {
            Actor::User(user) => {
                let session = user.session.map(|session| session.to_string());
                entry
                    .by(&user.id.to_string(), user.name.as_str())
                    .in_session(&session.unwrap_or_default())
            }
            Actor::FrontEnd(front_end) => {
                entry.actor_kind = "front end";
                entry.actor_name.clone_from(&front_end.name);
                let speaks_for = front_end.speaks_for.as_ref().map(|user| user.name.to_string());
                entry.speaks_for = speaks_for.unwrap_or_default();
                entry
            }
        }
    }

    /// A deed of somebody whom nobody knows yet.
    pub(crate) fn of_nobody(peer: &Peer, action: &'static str) -> Self {
        Self {
            actor_kind: "anonymous",
            actor_id: String::new(),
            actor_name: String::new(),
            session_id: String::new(),
            speaks_for: String::new(),
            door: peer.door,
            address: peer.address_text(),
            request: peer.request_id.clone(),
            action,
            object: String::new(),
            reason: String::new(),
            times: 1,
        }
    }

    /// A deed of a part of the house.
    pub(crate) fn of_system(name: &'static str, action: &'static str) -> Self {
        let mut entry = Self::of_nobody(&Peer::new(None, "system"), action);
        (entry.actor_kind, entry.actor_name) = ("system", name.to_owned());
        entry
    }

    /// The same deed, done by this user.
    pub(crate) fn by(mut self, id: &str, name: &str) -> Self {
        (self.actor_kind, self.actor_id, self.actor_name) = ("user", id.to_owned(), name.to_owned());
        self
    }

    /// The same deed, done by this machine.
    pub(crate) fn by_node(mut self, id: &str, name: &str) -> Self {
        (self.actor_kind, self.actor_id, self.actor_name) = ("node", id.to_owned(), name.to_owned());
        self
    }

    /// The same deed, done in this session.
    pub(crate) fn in_session(mut self, session: &str) -> Self {
        session.clone_into(&mut self.session_id);
        self
    }

    /// The same deed, done to `object`.
    pub(crate) fn about(mut self, object: &str) -> Self {
        self.object = object.chars().take(256).collect();
        self
    }

    /// The same deed, with the reason for its end.
    pub(crate) fn because(mut self, reason: &str) -> Self {
        self.reason = reason.chars().take(256).collect();
        self
    }

    /// The same deed, done so many times.
    pub(crate) const fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }
}

/// Writes a row in the transaction of the deed.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    entry: &Entry,
    outcome: Outcome,
    now: Timestamp,
) -> Result<(), store::Error> {
    let id: model::Id<Record> = model::Id::fresh(now);
    tx.execute(
        "INSERT INTO audit (id, done_at, request, actor_kind, actor_id, actor_name, session_id, speaks_for, door, \
         address, action, object, outcome, reason, times) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        params![
            id,
            now,
            entry.request.as_str(),
            entry.actor_kind,
            entry.actor_id.as_str(),
            entry.actor_name.as_str(),
            entry.session_id.as_str(),
            entry.speaks_for.as_str(),
            entry.door,
            entry.address.as_str(),
            entry.action,
            entry.object.as_str(),
            outcome.word(),
            entry.reason.as_str(),
            entry.times
        ],
    )?;
    Ok(())
}

/// Lists sealed rows, newest first: at most `most` (1 to 1000), all with a place before `before` where given.
///
/// # Errors
/// The store's own.
pub async fn list(
    permit: &Permit<Read>,
    store: &Store,
    before: Option<i64>,
    most: u32,
) -> Result<Vec<Record>, Error> {
    let (before, most) = (before.unwrap_or(i64::MAX), most.clamp(1, 1000));
    let query = record::query("WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2");
    let read = move |tx: &mut Tx<'_>| {
        let rows: Vec<Row> = tx.rows(&query, params![before, most])?;
        rows.iter().map(|row| Ok(Record::read(row)?)).collect()
    };
    permit.read(store, read).await
}

impl Access {
    /// Lists sealed rows of this zone, as [`list`] does.
    ///
    /// # Errors
    /// The store's own.
    pub async fn list_audit(
        &self,
        permit: &Permit<Read>,
        before: Option<i64>,
        most: u32,
    ) -> Result<Vec<Record>, Error> {
        list(permit, &self.house.store, before, most).await
    }

    /// Looks over the whole sealed trail and names the first place where it was tampered with.
    ///
    /// # Errors
    /// The store's own. A tampered trail is an answer, not an error.
    pub async fn verify_audit(&self, _permit: &Permit<Read>) -> Result<Verdict, Error> {
        chain::verify(&self.house.store, &self.house.seal).await
    }

    /// How often each action that only reads was permitted since the start.
    #[must_use]
    pub fn reads(&self) -> BTreeMap<&'static str, u64> {
        self.house
            .reads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
