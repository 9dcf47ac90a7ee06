//! The end of a session, or of a role, for what stays open: streams, followed files, watches.
//!
//! Both are told by the store's own changes, so they end on every server. What it leaves to others: letting go
//! of what is open.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use model::{SessionId, Timestamp};
use store::{Tx, Watch};

use crate::{Access, Action, Actor, Error, Permit, Role, grants, house::House, permit::Ticket, sessions};

/// How long it goes without looking again, should a wake be lost.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How often in a row the look may fail before what is open ends.
pub(crate) const FAILURES: u32 = 4;

impl Access {
    /// Resolves when the session has ended, by sign-out, by revocation or by itself, and when its user has lost a
    /// role that they held when this was asked: what was opened with more rights than are left ends, and may be
    /// opened again with those. It resolves too when the store cannot tell for a while.
    ///
    /// Never where there is no session: what a front end opened lasts as its permit does ([`Permit::lasting`]).
    pub async fn until_revoked(&self, session: impl Into<Option<SessionId>>) {
        match session.into() {
            Some(session) => self.house.until_revoked(session).await,
            None => std::future::pending().await,
        }
    }

    /// Resolves when what was opened under a permit has to end: with its actor's session, or a role lost, as
    /// [`Access::until_revoked`]; for a front end, which has no session, once the right is no longer what it was.
    pub async fn until_ended(&self, lasting: &Lasting) {
        let house = &self.house;
        if let Actor::User(user) = &lasting.ticket.actor
            && let Some(session) = user.session
        {
            return house.until_revoked(session).await;
        }
        let mut watch = house.store.watch(grants::TOPIC);
        let mut failures = 0;
        loop {
            let (Lasting { ticket, action }, now) = (lasting.clone(), house.clock.now());
            let wait = match house.store.read(move |tx| ticket.check(tx, action, now)).await {
                Ok(()) => {
                    failures = 0;
                    LOOK_AGAIN
                }
                Err(Error::Store(_)) if failures < FAILURES => {
                    failures += 1;
                    Duration::from_secs(1)
                }
                Err(_) => return,
            };
            tokio::select! {
                () = watch.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

/// How long what was opened under a permit may stay open.
#[derive(Clone)]
pub struct Lasting {
    ticket: Arc<Ticket>,
    action: &'static str,
}

impl<A: Action> Permit<A> {
    /// How long what is opened under this permit may stay open.
    #[must_use]
    pub fn lasting(&self) -> Lasting {
        Lasting {
            ticket: self.ticket(),
            action: A::NAME,
        }
    }
}

impl House {
    async fn until_revoked(&self, session: SessionId) {
        let house = self;
        let mut watches = [sessions::TOPIC, grants::TOPIC].map(|topic| house.store.watch(topic));
        let held = Arc::new(OnceLock::new());
        let mut failures = 0;
        loop {
            let (now, held) = (house.clock.now(), Arc::clone(&held));
            let wait = match house.store.read(move |tx| look(tx, session, &held, now)).await {
                Ok(ends_at) => {
                    failures = 0;
                    (ends_at - now).to_std().min(LOOK_AGAIN)
                }
                Err(Error::Store(_)) if failures < FAILURES => {
                    failures += 1;
                    Duration::from_secs(1)
                }
                Err(_) => return,
            };
            tokio::select! {
                () = woken(&mut watches) => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

/// Until when the session stands with every role in `held`, which the first look fills in.
fn look(
    tx: &mut Tx<'_>,
    session: SessionId,
    held: &OnceLock<Vec<Role>>,
    now: Timestamp,
) -> Result<Timestamp, Error> {
    let (user, ends_at) = sessions::check_open(tx, session, now)?;
    let roles = grants::of_user(tx, user)?;
    let kept = held
        .get_or_init(|| roles.clone())
        .iter()
        .all(|role| roles.contains(role));
    if kept {
        Ok(ends_at)
    } else {
        Err(Error::SessionEnded)
    }
}

/// Waits for the first change of any topic.
pub(crate) async fn woken(watches: &mut [Watch]) {
    let mut waiting: Vec<_> = watches
        .iter_mut()
        .map(|watch| Box::pin(watch.changed()))
        .collect();
    std::future::poll_fn(|context| {
        let woken = waiting
            .iter_mut()
            .any(|wait| wait.as_mut().poll(context).is_ready());
        if woken {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}
