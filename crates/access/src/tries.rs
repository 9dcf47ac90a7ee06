//! How often one may try to sign in: per address, and per name from one address.
//!
//! Wrong passwords are counted under (name, address): whoever guesses locks out nobody but that name from the
//! guesser's own address, so no one else's guesses keep the only owner out. Keys, codes and tokens cannot be
//! guessed and are never refused for their number. All in memory, of bounded size. What it leaves to others: the
//! proofs themselves.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::{Origin, Span, Timestamp};

use crate::Error;

/// Addresses, and names with addresses, that are remembered; beyond that the longest unused are forgotten.
const MOST: usize = 8192;
/// Wrong passwords that cost no wait.
const FREE: u32 = 5;
/// The first wait; it doubles with each further wrong password.
const FIRST_WAIT: Span = Span::from_secs(2);
/// The longest wait.
const LONGEST_WAIT: Span = Span::from_secs(15 * 60);
/// Wrong passwords are forgotten after this long without one.
const MEMORY: Span = Span::from_secs(60 * 60);

/// The counts of all tries.
pub(crate) struct Tries {
    per_minute: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    origins: BTreeMap<Origin, Bucket>,
    wrong: BTreeMap<(String, Origin), Wrong>,
}

/// Room for tries that fills up with time: GCRA, kept as the instant at which it would be full again.
struct Bucket {
    full_at: Timestamp,
}

struct Wrong {
    count: u32,
    last: Timestamp,
    closed_until: Timestamp,
}

impl Tries {
    /// Allows so many tries per minute from one address, and as many at once.
    pub(crate) fn new(per_minute: u32) -> Self {
        Self {
            per_minute: per_minute.max(1),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a try from this address.
    ///
    /// # Errors
    /// `Exhausted` where the address has used up its tries.
    pub(crate) fn enter(&self, address: Option<IpAddr>, now: Timestamp) -> Result<(), Error> {
        let minute = Span::from_secs(60);
        let step = Span::from_micros(minute.micros() / i64::from(self.per_minute));
        let mut state = self.state();
        let origins = &mut state.origins;
        if origins.len() >= MOST {
            origins.retain(|_, bucket| bucket.full_at > now);
        }
        if origins.len() >= MOST {
            drop_least(origins, |bucket| bucket.full_at);
        }
        let bucket = origins
            .entry(Origin::from(address))
            .or_insert(Bucket { full_at: now });
        let full_at = bucket.full_at.max(now) + step;
        if full_at - now > minute {
            return Err(Error::TooManyTries {
                wait: full_at - (now + minute),
            });
        }
        bucket.full_at = full_at;
        Ok(())
    }

    /// Asks whether a password for this name may be tried from this address.
    ///
    /// # Errors
    /// `Exhausted` while the name is closed for this address.
    pub(crate) fn may_guess(&self, name: &str, address: Option<IpAddr>, now: Timestamp) -> Result<(), Error> {
        let state = self.state();
        let wrong = state.wrong.get(&(name.to_owned(), Origin::from(address)));
        match wrong {
            Some(wrong) if wrong.closed_until > now => Err(Error::TooManyTries {
                wait: wrong.closed_until - now,
            }),
            _ => Ok(()),
        }
    }

    /// Remembers a wrong password.
    pub(crate) fn wrong(&self, name: &str, address: Option<IpAddr>, now: Timestamp) {
        let mut state = self.state();
        let all = &mut state.wrong;
        if all.len() >= MOST {
            all.retain(|_, wrong| now - wrong.last < MEMORY);
        }
        if all.len() >= MOST {
            drop_least(all, |wrong| wrong.last);
        }
        let key = (name.to_owned(), Origin::from(address));
        let wrong = all.entry(key).or_insert(Wrong {
            count: 0,
            last: now,
            closed_until: now,
        });
        if now - wrong.last >= MEMORY {
            wrong.count = 0;
        }
        (wrong.count, wrong.last) = (wrong.count.saturating_add(1), now);
        if let Some(beyond) = wrong.count.checked_sub(FREE) {
            let wait = FIRST_WAIT
                .micros()
                .saturating_mul(1 << beyond.min(20))
                .min(LONGEST_WAIT.micros());
            wrong.closed_until = now + Span::from_micros(wait);
        }
    }

    /// Forgets the wrong passwords after a right one.
    pub(crate) fn right(&self, name: &str, address: Option<IpAddr>) {
        self.state()
            .wrong
            .remove(&(name.to_owned(), Origin::from(address)));
    }
}

/// Removes the entry with the least value.
fn drop_least<K: Ord + Clone, V, O: Ord>(map: &mut BTreeMap<K, V>, order: impl Fn(&V) -> O) {
    let least = map
        .iter()
        .min_by_key(|(_, value)| order(value))
        .map(|(key, _)| key.clone());
    if let Some(key) = least {
        map.remove(&key);
    }
}

#[cfg(test)]
mod tests;
