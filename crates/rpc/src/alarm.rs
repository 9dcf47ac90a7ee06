//! A point in time at which an answer ends.
//!
//! Most answers are out before anybody has to wait, so the clock of the runtime hears of an alarm only when somebody does:
//! setting one and taking it back is a good part of what a short call costs. What it leaves to others: what ends
//! (`reply`).

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
};

use tokio::{
    task::coop::unconstrained,
    time::{Instant, Sleep},
};

use crate::Deadline;

/// Rings at a deadline.
pub(crate) struct Alarm {
    at: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    pub(crate) fn new(deadline: &Deadline) -> Self {
        Self {
            at: Instant::from_std(deadline.at()),
            sleep: None,
        }
    }

    /// Tells whether the time has come; nobody is woken when it comes later.
    pub(crate) fn has_rung(&self) -> bool {
        self.at <= Instant::now()
    }

    /// Waits for it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(self.at)));
        poll(sleep.as_mut(), cx)
    }
}

/// Waits beside work that may have used up what the runtime lets a task do at a time: a sleep would not look at the clock
/// then, and work that uses up all of it each time would never end.
pub(crate) fn poll(sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    pin!(unconstrained(sleep)).poll(cx)
}
