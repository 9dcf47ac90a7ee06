//! Streams that end with the session for which they were opened, with their reader, and with the zone.
//!
//! A reader that takes nothing does not ask, so a stream of its own could not notice the end of its session.
//! A task stands between, and lets go of everything at once. What it leaves to others: when a session ends
//! (crate `access`).

use std::future::Future;

use access::Lasting;
use futures::StreamExt as _;
use tasks::Policy;
use tokio::sync::mpsc;

use crate::{Error, Handle, Stream};

/// Items on the way to the reader. When it is full, the producer waits.
const ON_THE_WAY: usize = 4;

pub(crate) type Sender<T> = mpsc::Sender<Result<T, Error>>;

impl Handle {
    /// The items that `produce` sends, until it returns.
    pub(crate) fn while_signed_in<T, P, F>(
        &self,
        lasting: Lasting,
        name: &'static str,
        produce: P,
    ) -> Stream<T>
    where
        T: Send + 'static,
        P: FnOnce(Sender<T>) -> F,
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(ON_THE_WAY);
        let items = produce(sender.clone());
        let (access, stopping) = (self.inner.access.clone(), self.inner.tasks.token());
        self.inner.tasks.spawn(name, Policy::MayEnd, async move {
            let end = tokio::select! {
                biased;
                () = stopping.cancelled() => Err(Error::Stopping),
                () = access.until_ended(&lasting) => Err(Error::SessionEnded),
                () = sender.closed() => Ok(()),
                end = items => end,
            };
            if let Err(error) = end {
                tokio::select! {
                    () = stopping.cancelled() => {}
                    sent = sender.send(Err(error)) => drop(sent),
                }
            }
        });
        let items = futures::stream::unfold(receiver, |mut receiver| async move {
            let item = receiver.recv().await?;
            Some((item, receiver))
        });
        items.boxed()
    }
}
