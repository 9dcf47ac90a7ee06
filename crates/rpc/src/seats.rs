//! The places of a listener: how many connections there may be, and who yields when all are taken.
//!
//! What it leaves to others: closing the connection whose place was taken. A connection counts as a stranger
//! until its first complete request; only strangers yield, the one that came first before the others.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

/// The places of one listener. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Seats {
    state: Arc<Mutex<State>>,
    most: usize,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    next: u64,
    strangers: BTreeMap<u64, CancellationToken>,
}

/// One connection's place; free again when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Seats,
    number: u64,
    stranger: AtomicBool,
    yielded: CancellationToken,
}

impl Seats {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            state: Arc::default(),
            most,
        }
    }

    /// Takes a place. When all are taken, the oldest stranger is told to go; `None` when there is none.
    pub(crate) fn take(&self) -> Option<Seat> {
        let mut state = self.state();
        if state.taken >= self.most && !yield_one(&mut state) {
            return None;
        }
        let number = state.next;
        let yielded = CancellationToken::new();
        state.next += 1;
        state.taken += 1;
        state.strangers.insert(number, yielded.clone());
        Some(Seat {
            seats: self.clone(),
            number,
            stranger: AtomicBool::new(true),
            yielded,
        })
    }

    /// Tells the oldest stranger to go, because something else than places ran out.
    pub(crate) fn free_one(&self) {
        yield_one(&mut self.state());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn yield_one(state: &mut State) -> bool {
    let oldest = state.strangers.pop_first();
    if let Some((_, yielded)) = &oldest {
        yielded.cancel();
    }
    oldest.is_some()
}

impl Seat {
    /// Keeps the place: the connection has made a complete request.
    pub(crate) fn keep(&self) {
        if self.stranger.load(Ordering::Relaxed) && self.stranger.swap(false, Ordering::Relaxed) {
            self.seats.state().strangers.remove(&self.number);
        }
    }

    /// Waits until this place was given to a newcomer.
    pub(crate) async fn yielded(&self) {
        self.yielded.cancelled().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.seats.state();
        state.taken -= 1;
        state.strangers.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::Seats;

    #[test]
    fn the_oldest_stranger_yields_to_a_newcomer_and_a_guest_never_does() {
        let seats = Seats::new(3);
        let guest = seats.take().unwrap();
        guest.keep();
        let first = seats.take().unwrap();
        let second = seats.take().unwrap();
        let newcomer = seats.take().unwrap();
        assert!(first.yielded.is_cancelled());
        assert!(
            ![&guest, &second, &newcomer]
                .iter()
                .any(|seat| seat.yielded.is_cancelled())
        );
    }

    #[test]
    fn a_newcomer_is_sent_away_where_all_are_guests_until_one_leaves() {
        let seats = Seats::new(1);
        let guest = seats.take().unwrap();
        guest.keep();
        assert!(seats.take().is_none());
        drop(guest);
        assert!(seats.take().is_some());
    }
}
