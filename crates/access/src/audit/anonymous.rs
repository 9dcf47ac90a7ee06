//! Counts refusals of callers whom nobody knows, by address and minute, in a table that cannot grow.
//!
//! What it leaves to others: writing the counts as audit rows, once their minute is over (`sealer`).

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::Timestamp;

use super::Entry;
use crate::Peer;

/// Different (address, door, action) that one minute tells apart; all others are counted under no address.
const MOST: usize = 2048;

type Place = (Option<IpAddr>, &'static str, &'static str);

/// The counts of minutes that were not yet written.
#[derive(Debug, Default)]
pub(crate) struct Anonymous {
    minutes: Mutex<BTreeMap<i64, BTreeMap<Place, u32>>>,
}

impl Anonymous {
    fn minutes(&self) -> MutexGuard<'_, BTreeMap<i64, BTreeMap<Place, u32>>> {
        self.minutes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one refusal.
    pub(crate) fn count(&self, peer: &Peer, action: &'static str, now: Timestamp) {
        let mut minutes = self.minutes();
        let counts = minutes.entry(now.secs().div_euclid(60)).or_default();
        let mut place = (
            peer.address.map(|address| address.to_canonical()),
            peer.door,
            action,
        );
        if counts.len() >= MOST && !counts.contains_key(&place) {
            place.0 = None;
        }
        let count = counts.entry(place).or_default();
        *count = count.saturating_add(1);
    }

    /// Takes the counts of every minute that is over at `now`, or of all where `all` is set.
    pub(crate) fn take(&self, now: Timestamp, all: bool) -> Vec<Entry> {
        let mut minutes = self.minutes();
        let running = now.secs().div_euclid(60);
        let later = if all {
            BTreeMap::new()
        } else {
            minutes.split_off(&running)
        };
        let over = std::mem::replace(&mut *minutes, later);
        let entry = |((address, door, action), times): (Place, u32)| {
            Entry::of_nobody(&Peer::new(address, door), action)
                .because("no good credential")
                .times(times)
        };
        over.into_values().flatten().map(entry).collect()
    }
}

#[cfg(test)]
mod tests;
