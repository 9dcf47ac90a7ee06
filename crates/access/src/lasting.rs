//! The end of a session or of a right, for what stays open: streams, followed files, watches.
//!
//! Both are told by the store's own changes, so they end on every server. What it leaves to others: letting go
//! of what is open.

use std::{sync::Arc, time::Duration};

use model::{SessionId, Timestamp};
use store::{Tx, Watch};

use crate::{Access, Error, grants, house::House, permit::Ticket, sessions};

/// How long it goes without looking again, should a wake be lost.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How often in a row the look may fail before what is open ends.
const FAILURES: u32 = 4;

impl Access {
    /// Resolves when the session has ended: by sign-out, by revocation, or by itself. It resolves too when the
    /// store cannot tell for a while.
    pub async fn until_revoked(&self, session: SessionId) {
        let open = move |tx: &mut Tx<'_>, now| sessions::check_open(tx, session, now);
        let watches = [self.house.store.watch(sessions::TOPIC)];
        drop(until(&self.house, watches, open).await);
    }
}

/// Resolves when the right that the ticket stands for has ended or become another one.
pub(crate) async fn until_lost(ticket: Arc<Ticket>, action: &'static str) -> Error {
    let house = Arc::clone(&ticket.house);
    let watches = [sessions::TOPIC, grants::TOPIC].map(|topic| house.store.watch(topic));
    let stands = move |tx: &mut Tx<'_>, now| {
        ticket.check(tx, action, now)?;
        sessions::check_open(tx, ticket.actor.user().session, now)
    };
    until(&house, watches, stands).await
}

/// Looks now, and again on every wake and at the end that the last look told, until a look fails.
async fn until<const N: usize>(
    house: &House,
    mut watches: [Watch; N],
    look: impl Fn(&mut Tx<'_>, Timestamp) -> Result<Timestamp, Error> + Clone + Send + 'static,
) -> Error {
    let mut failures = 0;
    loop {
        let now = house.clock.now();
        let (look, woken) = (look.clone(), woken(&mut watches));
        let wait = match house.store.read(move |tx| look(tx, now)).await {
            Ok(ends_at) => {
                failures = 0;
                (ends_at - now).to_std().min(LOOK_AGAIN)
            }
            Err(Error::Store(_)) if failures < FAILURES => {
                failures += 1;
                Duration::from_secs(1)
            }
            Err(ended) => return ended,
        };
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Waits for the first change of any topic.
async fn woken(watches: &mut [Watch]) {
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
