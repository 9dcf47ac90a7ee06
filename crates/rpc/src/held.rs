//! How many bytes of half-arrived messages a set of services holds, and how many calls.
//!
//! What it leaves to others: when a message begins and ends (`body`), and a call (`calls`). A decoder keeps what has arrived of a
//! message until it is whole; without a common bound a few hundred callers who each send all but the last
//! byte of a large one would take all memory, before anybody asked who they are.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Messages up to this size are not counted: they are bounded by the number of calls.
const SMALL: usize = 64 * 1024;

/// The bytes, or the calls, that may be held at a time. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    taken: Arc<AtomicUsize>,
    most: usize,
}

/// One message's or one call's part; given back when dropped.
#[derive(Debug)]
pub(crate) struct Part {
    taken: Arc<AtomicUsize>,
    size: usize,
}

impl Allowance {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            taken: Arc::default(),
            most,
        }
    }

    /// Takes the part of a message of this length: `Ok(None)` for a small one, `Err` when there is no room.
    pub(crate) fn take(&self, length: u32) -> Result<Option<Part>, Full> {
        let bytes = usize::try_from(length).unwrap_or(usize::MAX);
        if bytes <= SMALL {
            return Ok(None);
        }
        self.part(bytes).map(Some)
    }

    /// Takes a part of this size: `Err` when there is no room.
    pub(crate) fn part(&self, size: usize) -> Result<Part, Full> {
        let fits = |taken: usize| taken.checked_add(size).filter(|sum| *sum <= self.most);
        let taken = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.map_err(|_most| Full)?;
        Ok(Part {
            taken: Arc::clone(&self.taken),
            size,
        })
    }
}

/// Says that there is no room for another one now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

impl Drop for Part {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.size, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Allowance, Full};

    #[test]
    fn large_messages_share_one_allowance_and_give_it_back() {
        let allowance = Allowance::new(1_000_000);
        let first = allowance.take(600_000).unwrap();
        assert!(first.is_some());
        assert_eq!(allowance.take(600_000).unwrap_err(), Full);
        assert!(allowance.take(400_000).unwrap().is_some());
        drop(first);
        assert!(allowance.take(1_000_000).unwrap().is_some());
        assert!(allowance.take(u32::MAX).is_err());
    }

    #[test]
    fn small_messages_are_not_counted() {
        let allowance = Allowance::new(0);
        assert!(allowance.take(65_536).unwrap().is_none());
        assert!(allowance.take(65_537).is_err());
    }
}
