//! The places of a listener: how many connections there may be, and who yields when all are taken.
//!
//! What it leaves to others: closing the connection whose place was taken. A connection counts as a stranger
//! until its first complete request, and as a guest from then on. Strangers yield, the one that came first before the
//! others; where there are none, the guest without a running request yields whose last one is longest ago.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::{Status, body::Body};

use tokio_util::sync::CancellationToken;

/// The places of one listener. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Seats {
    state: Arc<Mutex<State>>,
    visits: Arc<AtomicU64>,
    most: usize,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    next: u64,
    strangers: BTreeMap<u64, Arc<Holder>>,
    guests: BTreeMap<u64, Arc<Holder>>,
}

/// Whoever has a place.
#[derive(Debug, Default)]
struct Holder {
    yielded: CancellationToken,
    /// How many requests run.
    running: AtomicUsize,
    /// When the last one began, counted in requests.
    last: AtomicU64,
}

/// One connection's place; free again when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Seats,
    number: u64,
    stranger: AtomicBool,
    holder: Arc<Holder>,
}

/// One request of a guest, who does not yield while it runs.
#[derive(Debug)]
pub(crate) struct Visit(Arc<Holder>);

/// The answer to a request, which runs until this has gone out.
struct Answer {
    body: Body,
    _visit: Visit,
}

impl Seats {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            state: Arc::default(),
            visits: Arc::default(),
            most,
        }
    }

    /// Takes a place. When all are taken, one that yields is told to go; `None` when there is none.
    pub(crate) fn take(&self) -> Option<Seat> {
        let mut state = self.state();
        if state.taken >= self.most && !yield_one(&mut state) {
            return None;
        }
        let number = state.next;
        let holder = Arc::<Holder>::default();
        state.next += 1;
        state.taken += 1;
        state.strangers.insert(number, Arc::clone(&holder));
        Some(Seat {
            seats: self.clone(),
            number,
            stranger: AtomicBool::new(true),
            holder,
        })
    }

    /// Tells one that yields to go, because something else than places ran out.
    pub(crate) fn free_one(&self) {
        yield_one(&mut self.state());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn yield_one(state: &mut State) -> bool {
    let stranger = state.strangers.pop_first().map(|(_, holder)| holder);
    let yields = stranger.or_else(|| idle(&mut state.guests));
    if let Some(holder) = &yields {
        holder.yielded.cancel();
    }
    yields.is_some()
}

/// The guest without a running request whose last one is longest ago.
fn idle(guests: &mut BTreeMap<u64, Arc<Holder>>) -> Option<Arc<Holder>> {
    let idle = guests
        .iter()
        .filter(|(_, holder)| holder.running.load(Ordering::Relaxed) == 0);
    let (number, _) = idle.min_by_key(|(_, holder)| holder.last.load(Ordering::Relaxed))?;
    let number = *number;
    guests.remove(&number)
}

impl Seat {
    /// Keeps the place: the connection has made a complete request, which runs until this is dropped.
    pub(crate) fn visit(&self) -> Visit {
        self.holder.running.fetch_add(1, Ordering::Relaxed);
        let order = self.seats.visits.fetch_add(1, Ordering::Relaxed);
        self.holder.last.store(order, Ordering::Relaxed);
        if self.stranger.load(Ordering::Relaxed) && self.stranger.swap(false, Ordering::Relaxed) {
            let mut state = self.seats.state();
            if let Some(holder) = state.strangers.remove(&self.number) {
                state.guests.insert(self.number, holder);
            }
        }
        Visit(Arc::clone(&self.holder))
    }

    /// Waits until this place was given to a newcomer.
    pub(crate) async fn yielded(&self) {
        self.holder.yielded.cancelled().await;
    }
}

impl Visit {
    /// Has the request run until this body is dropped.
    pub(crate) fn until_sent(self, body: Body) -> Body {
        if body.is_end_stream() {
            return body;
        }
        Body::new(Answer { body, _visit: self })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.seats.state();
        state.taken -= 1;
        state.strangers.remove(&self.number);
        state.guests.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::{Seat, Seats};

    fn gone(seats: &[&Seat]) -> Vec<bool> {
        seats
            .iter()
            .map(|seat| seat.holder.yielded.is_cancelled())
            .collect()
    }

    #[test]
    fn the_oldest_stranger_yields_to_a_newcomer_before_any_guest() {
        let seats = Seats::new(3);
        let guest = seats.take().unwrap();
        drop(guest.visit());
        let first = seats.take().unwrap();
        let second = seats.take().unwrap();
        let newcomer = seats.take().unwrap();
        assert_eq!(
            gone(&[&guest, &first, &second, &newcomer]),
            [false, true, false, false]
        );
    }

    #[test]
    fn where_all_are_guests_the_one_yields_that_has_been_idle_longest() {
        let seats = Seats::new(3);
        let [first, second, third] = [(); 3].map(|()| seats.take().unwrap());
        let running = first.visit();
        drop(third.visit());
        drop(second.visit());
        let newcomer = seats.take().unwrap();
        assert_eq!(gone(&[&first, &second, &third]), [false, false, true]);
        drop(third);
        drop(newcomer.visit());
        drop(running);
        let another = seats.take().unwrap();
        assert_eq!(gone(&[&first, &second, &newcomer]), [true, false, false]);
        drop(another);
    }

    #[test]
    fn a_newcomer_is_sent_away_where_all_are_busy_until_one_leaves() {
        let seats = Seats::new(1);
        let guest = seats.take().unwrap();
        let running = guest.visit();
        assert!(seats.take().is_none());
        drop(guest);
        assert!(seats.take().is_some());
        drop(running);
    }
}
