//! A closure on its way to an engine and its answer on the way back, without their types.
//!
//! What it leaves to others: the engines decide when a closure runs, how often, and whether its writes stay.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use crate::{Error, Tx};

/// How a run of a closure ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    /// It answered; its writes are to be kept.
    Answered,
    /// It answered an error; its writes are to be undone.
    Refused,
    /// It panicked; its writes are to be undone.
    Panicked,
}

/// A closure with a place for its answer.
pub(crate) trait Call: Send {
    /// Runs the closure once. A later run replaces the answer of an earlier one.
    fn run(&mut self, tx: &mut Tx<'_>) -> Ran;

    /// Sends the closure's own answer, or the store's fault instead of it.
    fn answer(self: Box<Self>, fault: Result<(), Error>);

    /// Tells whether nobody waits for the answer any more.
    fn abandoned(&self) -> bool;
}

/// Pairs the closure with a receiver of its answer.
pub(crate) fn call<T, E, F>(work: F) -> (Box<dyn Call>, oneshot::Receiver<Result<T, E>>)
where
    F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    let (send, receive) = oneshot::channel();
    let typed = Typed {
        work,
        outcome: None,
        send,
    };
    (Box::new(typed), receive)
}

struct Typed<T, E, F> {
    work: F,
    outcome: Option<Result<T, E>>,
    send: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Call for Typed<T, E, F>
where
    F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Ran {
        // The closure has no side effects, so nothing of its own can be left half done.
        match catch_unwind(AssertUnwindSafe(|| (self.work)(tx))) {
            Ok(outcome) => {
                let ran = if outcome.is_ok() {
                    Ran::Answered
                } else {
                    Ran::Refused
                };
                self.outcome = Some(outcome);
                ran
            }
            Err(_panic) => {
                tracing::error!("a transaction's closure panicked; its writes are undone");
                Ran::Panicked
            }
        }
    }

    fn answer(self: Box<Self>, fault: Result<(), Error>) {
        let answer = match (fault, self.outcome) {
            (Err(fault), _) => Err(fault.into()),
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(Error::Closed.into()),
        };
        // The caller may have gone; then nobody wants the answer.
        drop(self.send.send(answer));
    }

    fn abandoned(&self) -> bool {
        self.send.is_closed()
    }
}
