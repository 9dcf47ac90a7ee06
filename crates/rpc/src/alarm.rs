//! A point in time at which an answer ends.
//!
//! Most answers are out before anybody has to wait, so the clock of the runtime hears of an alarm only when somebody does:
//! setting one and taking it back is a good part of what a short call costs. What it leaves to others: what ends
//! (`reply`).

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep};

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
        sleep.as_mut().poll(cx)
    }
}
