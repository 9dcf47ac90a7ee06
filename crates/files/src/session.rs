//! Ends a stream with the session for which it was opened, with its reader, and with the zone.
//!
//! A reader that has stopped taking is not asked again, so a stream cannot notice by itself that its session
//! ended. A task stands between: it holds what is read from, and lets go of it at once. What it leaves to
//! others: when a session ends (`access`).

use std::sync::{Arc, Mutex, PoisonError};

use access::{Action, Lasting, Permit};
use confine::Account;
use futures::StreamExt as _;
use tasks::Policy;
use tokio::sync::mpsc;

use crate::{Error, Handle, Stream, account};

/// Items that may lie between the node and the door: enough to keep both busy.
const ON_THE_WAY: usize = 2;

/// Why a stream was cut off, set before its channel closes.
type Cut = Arc<Mutex<Option<Error>>>;

impl Handle {
    /// What `open` gives for the permit's user, as long as their session lasts.
    pub(crate) fn for_user<A: Action, T: Send + 'static>(
        &self,
        permit: &Permit<A>,
        open: impl FnOnce(&Account) -> Stream<T>,
    ) -> Stream<T> {
        match account(permit) {
            Ok(account) => self.while_signed_in(permit.lasting(), open(&account)),
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        }
    }

    fn while_signed_in<T: Send + 'static>(&self, lasting: Lasting, source: Stream<T>) -> Stream<T> {
        let (sender, receiver) = mpsc::channel(ON_THE_WAY);
        let cut = Cut::default();
        let (access, stopping, told) = (self.access.clone(), self.tasks.token(), Arc::clone(&cut));
        self.tasks.spawn("files.stream", Policy::MayEnd, async move {
            let why = tokio::select! {
                biased;
                () = stopping.cancelled() => Error::Stopping,
                () = access.until_ended(&lasting) => Error::SessionEnded,
                () = pass_on(source, &sender) => return,
            };
            *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        });
        let items = futures::stream::unfold((receiver, cut), |(mut receiver, cut)| async move {
            let item = receiver.recv().await.or_else(|| {
                let why = cut.lock().unwrap_or_else(PoisonError::into_inner).take();
                why.map(Err)
            });
            item.map(|item| (item, (receiver, cut)))
        });
        items.boxed()
    }
}

/// Hands on everything until the source ends or nobody takes any more.
async fn pass_on<T>(mut source: Stream<T>, sender: &mpsc::Sender<Result<T, Error>>) {
    loop {
        let item = tokio::select! {
            () = sender.closed() => return,
            item = source.next() => item,
        };
        let Some(item) = item else { return };
        if sender.send(item).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
