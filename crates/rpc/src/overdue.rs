//! Ends answers at their deadline that nobody reads.
//!
//! What it is for: a connection asks an answer for its next frame only while its peer takes frames. A peer that stops
//! reading would keep a handler, and what it holds, for as long as it likes. So whoever drives an answer also looks
//! whether its time is over, asked or not, and lets go of it once it has ended. What it leaves to others: what ends then
//! (`reply`).

use std::{
    cell::RefCell,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Sleep;

use crate::alarm;

tokio::task_local! {
    /// The answer that has begun in the work that is being driven.
    static BEGUN: RefCell<Option<Arc<dyn Overdue>>>;
}

/// An answer that has to end at some time, whether or not it is asked for more.
pub(crate) trait Overdue: Send + Sync {
    /// Tells how it stands; while its time lasts, this waits for the end of it.
    fn poll_time(&self, cx: &mut Context<'_>) -> Time;
}

/// How an answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// There is some left.
    Left,
    /// It is over, and its last words have not been taken.
    Over,
    /// It has said all.
    Ended,
}

/// Has an answer looked after by whoever drives the work in which this is said.
pub(crate) fn look_after(answer: Arc<dyn Overdue>) {
    // Without anybody who drives, as in a test of a service by itself, the answer looks when it is asked.
    drop(BEGUN.try_with(|begun| begun.replace(Some(answer))));
}

/// Drives work that sends an answer. One whose last words nobody takes within `grace` after its time is cut; then
/// there is nothing.
pub(crate) const fn drive<F: Future + Unpin>(work: F, grace: Duration) -> Drive<F> {
    Drive {
        work,
        grace,
        begun: None,
        cut: None,
    }
}

/// Work that is driven.
pub(crate) struct Drive<F> {
    work: F,
    grace: Duration,
    /// The answer that has begun in the work.
    begun: Option<Arc<dyn Overdue>>,
    cut: Option<Pin<Box<Sleep>>>,
}

impl<F> Drive<F> {
    /// The work itself.
    pub(crate) const fn work(&mut self) -> &mut F {
        &mut self.work
    }
}

impl<F: Future + Unpin> Future for Drive<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let drive = &mut *self;
        let (polled, begun) = BEGUN.sync_scope(RefCell::new(drive.begun.take()), || {
            let polled = Pin::new(&mut drive.work).poll(cx);
            (polled, BEGUN.with(RefCell::take))
        });
        drive.begun = begun;
        if let Poll::Ready(output) = polled {
            return Poll::Ready(Some(output));
        }
        let time = drive.begun.as_ref().map(|answer| answer.poll_time(cx));
        if time == Some(Time::Over) {
            let grace = drive.grace;
            let cut = drive
                .cut
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(grace)));
            return alarm::poll(cut.as_mut(), cx).map(|()| None);
        }
        drive.cut = None;
        if time == Some(Time::Ended) {
            // Work over HTTP/1.1 goes on after an answer, and what that held is not to wait for the next one.
            drive.begun = None;
        }
        Poll::Pending
    }
}
