//! The pace of one answer: how many parts may be sent, and what has come for it to write.
//!
//! What it leaves to others: what the parts are (the parent, and module `write`).

use std::{
    collections::VecDeque,
    io,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use crate::frame::{BadFrame, WINDOW};

/// The pace of one answer.
pub(super) struct Flow {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// How many more parts may be sent.
    parts: u32,
    /// Nobody wants the rest.
    ended: bool,
    /// What has come and is not taken yet; nothing stands for the end of it.
    came: VecDeque<Option<Vec<u8>>>,
}

impl Flow {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                parts: WINDOW,
                ended: false,
                came: VecDeque::new(),
            }),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn grant(&self, parts: u32) {
        let mut state = self.state();
        state.parts = state.parts.saturating_add(parts);
        self.changed.notify_all();
    }

    pub(super) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_all();
    }

    /// Takes in bytes to write, or the end of them. More than the window and the end is a breach of the protocol.
    pub(super) fn put(&self, bytes: Option<Vec<u8>>) -> io::Result<()> {
        let mut state = self.state();
        if state.came.len() > usize::try_from(WINDOW).unwrap_or(0) {
            return Err(io::Error::other(BadFrame));
        }
        state.came.push_back(bytes);
        self.changed.notify_all();
        Ok(())
    }

    /// Waits until one more part may be sent; false when nobody wants it any more.
    pub(super) fn take(&self) -> bool {
        let mut state = self.wait(|state| state.parts == 0);
        state.parts = state.parts.saturating_sub(1);
        !state.ended
    }

    /// Waits for bytes to write: the next ones, or their end. `Err` when nobody wants them written any more.
    pub(super) fn bytes(&self) -> Result<Option<Vec<u8>>, Unwanted> {
        let mut state = self.wait(|state| state.came.is_empty());
        match state.came.pop_front() {
            Some(came) if !state.ended => Ok(came),
            Some(_) | None => Err(Unwanted),
        }
    }

    /// Waits while something lacks and somebody wants it.
    fn wait(&self, lacks: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        self.changed
            .wait_while(self.state(), |state| lacks(state) && !state.ended)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nobody wants the rest.
pub(super) struct Unwanted;
