//! How many joins with a token that never was one address, and the whole zone, may try in a minute.
//!
//! Only those are counted, and a token that is good is never refused for their number: nobody can keep a machine out
//! by guessing, and whoever guesses costs one look into the store for each guess and nothing more. In memory, of bounded
//! size. What it leaves to others: the tokens themselves, whose 256 bits are not guessed.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::{Origin, Span, Timestamp};

/// How long refusals count.
const MINUTE: Span = Span::from_secs(60);
/// Addresses that are remembered at once; beyond that they share one count.
const MOST: usize = 4096;
/// How many more the zone allows than one address.
const ZONE: u32 = 10;

/// The counts of refused joins.
pub(crate) struct Guesses {
    per_minute: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    zone: Count,
    origins: BTreeMap<Origin, Count>,
}

/// Refusals since an instant.
#[derive(Clone, Copy)]
struct Count {
    since: Timestamp,
    refused: u32,
}

impl Default for Count {
    fn default() -> Self {
        Self {
            since: Timestamp::from_secs(0),
            refused: 0,
        }
    }
}

impl Count {
    /// Counts one more; tells whether that is more than `most` within the minute.
    fn add(&mut self, most: u32, now: Timestamp) -> bool {
        if self.has_passed(now) {
            *self = Self {
                since: now,
                refused: 0,
            };
        }
        self.refused = self.refused.saturating_add(1);
        self.refused > most
    }

    fn has_passed(&self, now: Timestamp) -> bool {
        now < self.since || now - self.since >= MINUTE
    }
}

impl Guesses {
    pub(crate) fn new(per_minute: u32) -> Self {
        Self {
            per_minute: per_minute.max(1),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a refused join; tells whether its address, or the zone, has had too many in this minute.
    pub(crate) fn too_many(&self, address: Option<IpAddr>, now: Timestamp) -> bool {
        let mut state = self.state();
        if state.origins.len() >= MOST {
            state.origins.retain(|_, count| !count.has_passed(now));
        }
        let full = state.origins.len() >= MOST;
        let known = |origin: &Origin| state.origins.contains_key(origin);
        let origin = Origin::from(address);
        let origin = if !full || known(&origin) {
            origin
        } else {
            Origin::from(None)
        };
        let of_origin = state.origins.entry(origin).or_default();
        let by_origin = of_origin.add(self.per_minute, now);
        let by_zone = state.zone.add(self.per_minute.saturating_mul(ZONE), now);
        by_origin || by_zone
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use model::Timestamp;

    use super::{Guesses, MOST, ZONE};

    fn v4(last: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(Ipv4Addr::from_bits(last)))
    }

    #[test]
    fn an_address_may_be_refused_so_often_in_a_minute_and_the_zone_more() {
        let at = Timestamp::from_secs;
        let guesses = Guesses::new(3);
        let told: Vec<bool> = (0..5).map(|_| guesses.too_many(v4(1), at(100))).collect();
        assert_eq!(told, [false, false, false, true, true]);
        assert!(!guesses.too_many(v4(2), at(159)), "another address");
        assert!(!guesses.too_many(v4(1), at(160)), "a minute later");
        assert!(!guesses.too_many(v4(1), at(50)), "a clock that went back");
        let guesses = Guesses::new(3);
        let told = (0..100).map(|last| guesses.too_many(v4(last), at(100)));
        let early = usize::try_from(3 * ZONE).expect("small");
        assert_eq!(
            told.filter(|told| !told).count(),
            early,
            "from ever new addresses"
        );
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_memory_is_bounded() {
        let at = Timestamp::from_secs(100);
        let guesses = Guesses::new(1);
        let v6 = |high: u128, low: u128| Some(IpAddr::V6(Ipv6Addr::from_bits(high << 64 | low)));
        assert!(!guesses.too_many(v6(7, 1), at));
        assert!(guesses.too_many(v6(7, 2), at));
        for last in 0..10_000 {
            guesses.too_many(v4(last), at);
        }
        assert!(guesses.state().origins.len() <= MOST + 1);
    }
}
