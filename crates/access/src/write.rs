//! The write transaction under a permit: the store's own, which knows who acts and what it is about.
//!
//! What it leaves to others: when it is begun and what becomes of it (`permit`).

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use model::Timestamp;
use store::Tx;

use crate::{
    Actor, Cover, Error, Scope, UserActor,
    audit::{self, Entry, Outcome},
    permit::Ticket,
};

/// What a transaction refused, for the row that is left after it is undone.
pub(crate) struct Refused {
    pub(crate) error: Error,
    pub(crate) object: String,
}

/// A write transaction under a permit. It is the store's [`Tx`], and it knows who acts.
pub struct Write<'a, 'tx> {
    tx: &'a mut Tx<'tx>,
    ticket: &'a Ticket,
    action: &'static str,
    now: Timestamp,
    object: String,
    refused: Option<Refused>,
}

impl<'a, 'tx> Write<'a, 'tx> {
    pub(crate) const fn new(
        tx: &'a mut Tx<'tx>,
        ticket: &'a Ticket,
        action: &'static str,
        now: Timestamp,
    ) -> Self {
        Self {
            tx,
            ticket,
            action,
            now,
            object: String::new(),
            refused: None,
        }
    }

    /// Takes along what was refused.
    pub(crate) const fn take_refused(&mut self) -> Option<Refused> {
        self.refused.take()
    }

    /// Adds the audit row of the deed.
    pub(crate) fn leave_row(&mut self) -> Result<(), store::Error> {
        let entry = Entry::of(&self.ticket.actor, &self.ticket.peer, self.action).about(&self.object);
        audit::insert(self.tx, &entry, Outcome::Done, self.now)
    }

    /// Looks whether the right is still the one that was given; the refusal is audited where it is not.
    pub(crate) fn judge_again(&mut self) -> Result<(), Error> {
        let action = self.action;
        let right = self.ticket.check(self.tx, action, self.now);
        right.inspect_err(|error| {
            if matches!(error, Error::Denied { .. }) {
                self.refuse_about(Error::Denied { action }, "");
            } else if matches!(error, Error::SessionEnded) {
                self.refuse_about(Error::SessionEnded, "");
            }
        })
    }
}

impl Write<'_, '_> {
    /// Says in the audit row what the action was done to. The last word counts; 256 characters are kept.
    pub fn about(&mut self, object: impl fmt::Display) {
        let visible = |c: char| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        };
        self.object = object.to_string().chars().take(256).map(visible).collect();
    }

    /// The instant of this write.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Who acts.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.ticket.actor
    }

    /// The user whose work this is.
    ///
    /// # Errors
    /// `Denied` where a front end acts for nobody.
    pub fn user(&self) -> Result<&UserActor, Error> {
        let action = self.action;
        self.ticket.actor.user().ok_or(Error::Denied { action })
    }

    /// Whether the actor acts as an owner of the zone.
    pub(crate) const fn is_owner(&self) -> bool {
        self.ticket.owner
    }

    /// How far the right reaches.
    #[must_use]
    pub fn cover(&self) -> &Cover {
        &self.ticket.cover
    }

    /// Tells whether a row of this scope lies within the right.
    #[must_use]
    pub fn covers(&self, scope: &Scope) -> bool {
        self.ticket.cover.covers(scope)
    }

    /// Passes where a row of this scope lies within the right; leaves an audit row where it does not.
    ///
    /// # Errors
    /// `NotFound`, naming `what`.
    pub fn find(&mut self, scope: &Scope, what: impl fmt::Display) -> Result<(), Error> {
        let what = what.to_string();
        self.ticket.cover.find(scope, &what).inspect_err(|_error| {
            self.refuse_about(Error::NotFound { what: what.clone() }, &what);
        })
    }

    /// Refuses the action for a reason that only the transaction shows; the refusal is audited.
    #[must_use]
    pub fn deny(&mut self) -> Error {
        let (action, object) = (self.action, self.object.clone());
        self.refuse_about(Error::Denied { action }, &object);
        Error::Denied { action }
    }

    fn refuse_about(&mut self, error: Error, object: &str) {
        self.refused = Some(Refused {
            error,
            object: object.to_owned(),
        });
    }
}

impl<'tx> Deref for Write<'_, 'tx> {
    type Target = Tx<'tx>;

    fn deref(&self) -> &Tx<'tx> {
        self.tx
    }
}

impl<'tx> DerefMut for Write<'_, 'tx> {
    fn deref_mut(&mut self) -> &mut Tx<'tx> {
        self.tx
    }
}
