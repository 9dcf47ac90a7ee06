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

use crate::{Access, Error, Role, grants, sessions};

/// How long it goes without looking again, should a wake be lost.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How often in a row the look may fail before what is open ends.
pub(crate) const FAILURES: u32 = 4;

impl Access {
    /// Resolves when the session has ended, by sign-out, by revocation or by itself, and when its user has lost a
    /// role that they held when this was asked: what was opened with more rights than are left ends, and may be
    /// opened again with those. It resolves too when the store cannot tell for a while.
    ///
    /// Never where there is no session: what a front end opened for a user ends with its connection.
    pub async fn until_revoked(&self, session: impl Into<Option<SessionId>>) {
        let Some(session) = session.into() else {
            return std::future::pending().await;
        };
        let house = &self.house;
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
