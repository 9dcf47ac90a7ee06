//! What the parts of this room share: store, clock, keys, table of roles, counters.
//!
//! What it leaves to others: everything that is done with it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use model::{ErrorKind, Timestamp};
use store::{Store, Tx};
use tasks::{Clock, Tasks};
use tokio::sync::Notify;

use crate::{
    Actor, Config, Error, Peer, ZoneRoot,
    audit::{self, Anonymous, Entry, Outcome},
    ed25519::Challenges,
    password::Hasher,
    recent::Recent,
    roles::Table,
    seal::Seal,
    token_keys::Ring,
    tries::Tries,
    wallet::message::Messages,
};

pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) tasks: Tasks,
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    pub(crate) roles: Table,
    pub(crate) seal: Seal,
    pub(crate) root: ZoneRoot,
    pub(crate) ring: Ring,
    pub(crate) challenges: Challenges,
    pub(crate) wallet_texts: Messages,
    pub(crate) hasher: Hasher,
    pub(crate) tries: Tries,
    pub(crate) anonymous: Anonymous,
    pub(crate) recent: Recent,
    /// Told after each write that may have left audit rows.
    pub(crate) unsealed: Notify,
    pub(crate) reads: Mutex<BTreeMap<&'static str, u64>>,
}

impl House {
    /// Writes this room's own rows: sign-ins, refusals, upkeep. Everybody else writes under a permit.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        let written = self.store.write(work).await;
        self.unsealed.notify_one();
        written
    }

    /// Leaves an audit row where an actor was refused; faults of the store leave none.
    pub(crate) async fn audit_refusal(
        &self,
        actor: &Actor,
        peer: &Peer,
        action: &'static str,
        object: &str,
        refusal: &Error,
    ) -> Result<(), Error> {
        let kind = refusal.kind();
        if !matches!(
            kind,
            ErrorKind::Denied | ErrorKind::NotFound | ErrorKind::Unauthenticated
        ) {
            return Ok(());
        }
        self.audit(
            Entry::of(actor, peer, action).about(object).because(kind.word()),
            Outcome::Refused,
        )
        .await
    }

    /// Leaves an audit row in a transaction of its own.
    pub(crate) async fn audit(&self, entry: Entry, outcome: Outcome) -> Result<(), Error> {
        let now: Timestamp = self.clock.now();
        self.write(move |tx| Ok(audit::insert(tx, &entry, outcome, now)?))
            .await
    }

    pub(crate) fn count_read(&self, action: &'static str) {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let count = reads.entry(action).or_default();
        *count = count.saturating_add(1);
    }
}
