//! Ends answers at their deadline that nobody reads.
//!
//! What it is for: a connection asks an answer for its next frame only while its peer takes frames. A peer that stops
//! reading would keep a handler, and what it holds, for as long as it likes. So whoever drives an answer also looks
//! whether its time is over, asked or not. What it leaves to others: what ends then (`reply`).

use std::{
    cell::RefCell,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Sleep;

tokio::task_local! {
    /// The answer that has begun in the work that is being driven.
    static BEGUN: RefCell<Option<Arc<dyn Overdue>>>;
}

/// An answer that has to end at some time, whether or not it is asked for more.
pub(crate) trait Overdue: Send + Sync {
    /// Ready once the time is over, and for as long as its last words have not been taken; never after those.
    fn poll_over(&self, cx: &mut Context<'_>) -> Poll<()>;
}

/// Has an answer looked after by whoever drives the work in which this is said.
pub(crate) fn look_after(answer: Arc<dyn Overdue>) {
    // Without anybody who drives, as in a test of a service by itself, the answer looks when it is asked.
    drop(BEGUN.try_with(|begun| begun.replace(Some(answer))));
}

/// Drives work that sends an answer. One whose last words nobody takes within `grace` after its time is cut; then
/// there is nothing.
pub(crate) async fn drive<F: Future>(work: F, grace: Duration) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut cut: Option<Pin<Box<Sleep>>> = None;
    let driven = poll_fn(|cx| {
        if let Poll::Ready(output) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        let begun = BEGUN.with(|begun| begun.borrow().clone());
        if begun.is_none_or(|answer| answer.poll_over(cx).is_pending()) {
            cut = None;
            return Poll::Pending;
        }
        let cut = cut.get_or_insert_with(|| Box::pin(tokio::time::sleep(grace)));
        cut.as_mut().poll(cx).map(|()| None)
    });
    BEGUN.scope(RefCell::default(), driven).await
}
