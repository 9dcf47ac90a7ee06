//! The permit: proof, as an argument, that an actor may do one kind of thing, and how far it reaches.
//!
//! A use case takes `Permit<Cancel>` and nothing else; only this room makes one, so a forgotten check does
//! not compile. Writing goes through the permit, which puts the audit row into the same transaction and looks
//! at the right once more inside it. What it leaves to others: what the action does.

use std::{
    fmt,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

use model::{Timestamp, UserId};
use store::{Store, Tx};

use crate::{
    Access, Action, Actor, Error, Peer, Reach, Role, UserActor, Write, grants, house::House, recent::Right,
    sessions, write::Refused,
};

/// How far a permit reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover {
    /// Over everything in the zone.
    Zone,
    /// Over what belongs to this user.
    Own(UserId),
}

/// Whose a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The zone's own.
    Zone,
    /// This user's.
    User(UserId),
}

impl Cover {
    /// Tells whether a row of this scope lies within.
    #[must_use]
    pub fn covers(&self, scope: &Scope) -> bool {
        match (self, scope) {
            (Cover::Zone, _) => true,
            (Cover::Own(mine), Scope::User(theirs)) => mine == theirs,
            (Cover::Own(_), Scope::Zone) => false,
        }
    }

    /// Passes where a row of this scope lies within.
    ///
    /// # Errors
    /// `NotFound` where it does not: who may not see a thing is told that it is not there.
    pub fn find(&self, scope: &Scope, what: impl fmt::Display) -> Result<(), Error> {
        if self.covers(scope) {
            Ok(())
        } else {
            Err(Error::NotFound {
                what: what.to_string(),
            })
        }
    }
}

/// Says that an actor may do `A`, over its cover. Only [`Access::permit`] makes one.
pub struct Permit<A> {
    ticket: Arc<Ticket>,
    action: PhantomData<fn() -> A>,
}

pub(crate) struct Ticket {
    pub(crate) house: Arc<House>,
    pub(crate) actor: Actor,
    pub(crate) peer: Peer,
    pub(crate) cover: Cover,
    pub(crate) owner: bool,
}

impl Ticket {
    /// Looks whether the right is still the one that was given.
    ///
    /// # Errors
    /// `Unauthenticated`, `Denied` or `Conflict` where it is not; the store's own.
    pub(crate) fn check(&self, tx: &mut Tx<'_>, action: &'static str, now: Timestamp) -> Result<(), Error> {
        let right = judge(tx, &self.house, &self.actor, action, now)?;
        if right == (self.cover, self.owner) {
            Ok(())
        } else {
            Err(Error::RightsChanged { action })
        }
    }
}

impl Access {
    /// Asks whether `actor` may do `A` now.
    ///
    /// # Errors
    /// `Denied`, with an audit row, where no role of the actor has the action; `Unauthenticated` where the
    /// session ended meanwhile.
    pub async fn permit<A: Action>(&self, actor: &Actor, peer: &Peer) -> Result<Permit<A>, Error> {
        let (cover, owner) = match self.house.right(actor, A::NAME).await {
            Ok(right) => right,
            Err(refusal) => {
                self.house
                    .audit_refusal(actor, peer, A::NAME, "", &refusal)
                    .await?;
                return Err(refusal);
            }
        };
        if !A::WRITES {
            self.house.count_read(A::NAME);
        }
        let ticket = Ticket {
            house: Arc::clone(&self.house),
            actor: actor.clone(),
            peer: peer.clone(),
            cover,
            owner,
        };
        Ok(Permit {
            ticket: Arc::new(ticket),
            action: PhantomData,
        })
    }
}

impl House {
    /// The right of an actor, as the store says now or has said since the last commit.
    async fn right(self: &Arc<Self>, actor: &Actor, action: &'static str) -> Result<(Cover, bool), Error> {
        // Before the read: what is committed meanwhile may be missing in it.
        let (commits, now) = (self.store.commits_seen(), self.clock.now());
        let asked = match actor {
            Actor::User(user) => user.session.map(|session| (session, user.id, action)),
            Actor::FrontEnd(_) => None,
        };
        if let Some(asked) = &asked
            && let Some(right) = self.recent.right(commits, asked, now)
        {
            return Ok((right.cover, right.owner));
        }
        let (house, who) = (Arc::clone(self), actor.clone());
        let read = move |tx: &mut Tx<'_>| {
            let (cover, owner) = judge(tx, &house, &who, action, now)?;
            let ends = asked.map(|(session, _, _)| sessions::check_open(tx, session, now));
            Ok::<_, Error>((cover, owner, ends.transpose()?))
        };
        let (cover, owner, ends) = self.store.read(read).await?;
        if let (Some(asked), Some((_, expires_at))) = (asked, ends) {
            let right = Right {
                cover,
                owner,
                expires_at,
            };
            self.recent.keep_right(commits, asked, right);
        }
        Ok((cover, owner))
    }
}

/// The cover that an actor has with an action, and whether it acts as an owner, as the store says now.
fn judge(
    tx: &mut Tx<'_>,
    house: &House,
    actor: &Actor,
    action: &'static str,
    now: Timestamp,
) -> Result<(Cover, bool), Error> {
    let denied = || Error::Denied { action };
    let front_end = match actor {
        Actor::User(user) => {
            sessions::check_open(tx, user.session()?, now)?;
            let roles = grants::of_user(tx, user.id)?;
            let cover = match house.roles.widest(&roles, action).ok_or_else(denied)? {
                Reach::Zone => Cover::Zone,
                Reach::Own => Cover::Own(user.id),
            };
            return Ok((cover, roles.contains(&Role::Owner)));
        }
        Actor::FrontEnd(front_end) => front_end,
    };
    // What a session is for, such as setting a password, needs the person.
    if is_of_a_session(action) {
        return Err(denied());
    }
    let reach = house.roles.reach(front_end.ceiling, action).ok_or_else(denied)?;
    let as_owner = front_end.ceiling == Role::Owner;
    match (&front_end.speaks_for, reach) {
        (Some(user), _) => {
            let roles = grants::of_user(tx, user.id)?;
            house.roles.widest(&roles, action).ok_or_else(denied)?;
            Ok((Cover::Own(user.id), as_owner && roles.contains(&Role::Owner)))
        }
        (None, Reach::Zone) => Ok((Cover::Zone, as_owner)),
        (None, Reach::Own) => Err(denied()),
    }
}

fn is_of_a_session(action: &str) -> bool {
    action.starts_with("session.")
}

impl<A: Action> Permit<A> {
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
        let user = self.ticket.actor.user();
        user.ok_or(Error::Denied { action: A::NAME })
    }

    pub(crate) fn ticket(&self) -> Arc<Ticket> {
        Arc::clone(&self.ticket)
    }

    /// Where the call comes from.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.ticket.peer
    }

    /// How far the right reaches. Lists turn it into a condition.
    #[must_use]
    pub fn cover(&self) -> &Cover {
        &self.ticket.cover
    }

    /// Tells whether the actor acts as an owner of the zone: on a machine without walls only they may run work.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.ticket.owner
    }

    /// Tells whether a row of this scope lies within the right.
    #[must_use]
    pub fn covers(&self, scope: &Scope) -> bool {
        self.ticket.cover.covers(scope)
    }

    /// Passes where a row of this scope lies within the right.
    ///
    /// # Errors
    /// `NotFound`, naming `what`, where it does not.
    pub fn find(&self, scope: &Scope, what: impl fmt::Display) -> Result<(), Error> {
        self.ticket.cover.find(scope, what)
    }

    /// Writes under this permit: looks at the right again, does the work and adds its audit row, all in one
    /// transaction. The work may run twice and must have no effect beside the transaction.
    ///
    /// # Errors
    /// What the work returns, with nothing written; `Denied`, `Unauthenticated` or `Conflict` where the right
    /// is gone, or is another one than the permit's; the store's own.
    pub async fn write<T, E, F>(&self, store: &Store, work: F) -> Result<T, E>
    where
        F: Fn(&mut Write<'_, '_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + From<store::Error> + Send + 'static,
    {
        const { assert!(A::WRITES, "an action that only reads cannot write") };
        let ticket = Arc::clone(&self.ticket);
        let refused: Arc<Mutex<Option<Refused>>> = Arc::default();
        let note = Arc::clone(&refused);
        let written = store
            .write(move |tx| {
                let now = ticket.house.clock.now();
                let mut write = Write::new(tx, &ticket, A::NAME, now);
                let answer = write
                    .judge_again()
                    .map_err(E::from)
                    .and_then(|()| work(&mut write));
                // Rolled back work leaves no row, so what was refused is carried out of the closure.
                *note.lock().unwrap_or_else(PoisonError::into_inner) = write.take_refused();
                let answer = answer?;
                write.leave_row()?;
                Ok(answer)
            })
            .await;
        let house = &self.ticket.house;
        let refused = refused.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (&written, refused) {
            (Err(_), Some(Refused { error, object })) => {
                house
                    .audit_refusal(&self.ticket.actor, &self.ticket.peer, A::NAME, &object, &error)
                    .await?;
            }
            _ => house.unsealed.notify_one(),
        }
        written
    }

    /// Reads under this permit, from one snapshot.
    ///
    /// # Errors
    /// What the work returns, and the store's own.
    pub async fn read<T, E, F>(&self, store: &Store, work: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + From<store::Error> + Send + 'static,
    {
        store.read(work).await
    }
}

/// The right of a named part of the house to do its own work, for nobody. It leaves no audit row: what a
/// reconciler does follows from what somebody was permitted to ask for.
#[derive(Debug, Clone, Copy)]
pub struct SystemPermit {
    name: &'static str,
}

impl SystemPermit {
    /// The right of the part with this name, such as "jobs.reconcile".
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name }
    }

    /// The part's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Writes in one transaction. The work may run twice and must have no effect beside the transaction.
    ///
    /// # Errors
    /// What the work returns, and the store's own.
    pub async fn write<T, E, F>(&self, store: &Store, work: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<store::Error> + Send + 'static,
    {
        store.write(work).await
    }

    /// Reads from one snapshot.
    ///
    /// # Errors
    /// What the work returns, and the store's own.
    pub async fn read<T, E, F>(&self, store: &Store, work: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<store::Error> + Send + 'static,
    {
        store.read(work).await
    }
}
