//! Writes by whoever is nobody yet and shows in the call itself what lets them in, such as a join token.
//!
//! The work proves what is shown, in the transaction that uses it up. What it leaves to others: which proofs there
//! are (the slice that takes them).

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use model::Timestamp;
use store::{Store, Tx};

use crate::{
    Access, Action, Peer,
    audit::{self, Entry, Outcome},
};

/// A write transaction of somebody whom nobody knows yet. It is the store's [`Tx`].
pub struct Newcomer<'a, 'tx> {
    tx: &'a mut Tx<'tx>,
    now: Timestamp,
    object: Option<String>,
}

impl Newcomer<'_, '_> {
    /// Says what was done, and that the audit trail is to tell of it. Without this word no row is left: a call
    /// that only repeats an earlier one did nothing.
    pub fn about(&mut self, object: impl fmt::Display) {
        self.object = Some(object.to_string());
    }

    /// The instant of this write.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }
}

impl<'tx> Deref for Newcomer<'_, 'tx> {
    type Target = Tx<'tx>;

    fn deref(&self) -> &Tx<'tx> {
        self.tx
    }
}

impl<'tx> DerefMut for Newcomer<'_, 'tx> {
    fn deref_mut(&mut self) -> &mut Tx<'tx> {
        self.tx
    }
}

impl Access {
    /// Writes for a newcomer, with an audit row in the same transaction. The work may run twice and must have no
    /// effect beside the transaction.
    ///
    /// # Errors
    /// What the work returns, with nothing written; the store's own.
    pub async fn write_for_newcomer<A, T, E, F>(&self, store: &Store, peer: &Peer, work: F) -> Result<T, E>
    where
        A: Action,
        F: Fn(&mut Newcomer<'_, '_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<store::Error> + Send + 'static,
    {
        const { assert!(A::WRITES, "an action that only reads cannot write") };
        let (clock, entry) = (self.house.clock.clone(), Entry::of_nobody(peer, A::NAME));
        let written = store.write(move |tx| {
            let now = clock.now();
            let object = None;
            let mut newcomer = Newcomer { tx, now, object };
            let answer = work(&mut newcomer)?;
            let Newcomer { tx, object, .. } = newcomer;
            if let Some(object) = object {
                audit::insert(tx, &entry.clone().about(&object), Outcome::Done, now)?;
            }
            Ok(answer)
        });
        let written = written.await;
        self.house.unsealed.notify_one();
        written
    }

    /// Counts a newcomer whose proof was not good, by address and minute.
    pub fn count_newcomer_refused<A: Action>(&self, peer: &Peer) {
        self.house.anonymous.count(peer, A::NAME, self.house.clock.now());
    }
}
