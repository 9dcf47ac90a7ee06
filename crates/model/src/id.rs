//! Ids: UUID version 7 (RFC 9562 section 5.7) behind one type per thing, so that ids cannot be mixed up.
//!
//! What it leaves to others: ids are stored and sent as their hyphenated lower-case text.

use std::{fmt, marker::PhantomData, str::FromStr, sync::Mutex};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use uuid::{ContextV7, Uuid};

use crate::Timestamp;

/// Keeps the ids of one process in the order in which they were made, also within a millisecond and after a clock that
/// was set back (RFC 9562 section 6.2, method 1).
static ORDER: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// An id of one thing of kind `K`. Ids sort in the order in which a process made them; those of different processes by
/// the millisecond.
pub struct Id<K> {
    value: Uuid,
    kind: PhantomData<fn() -> K>,
}

/// Says why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadId;

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is a UUID in lower-case text with hyphens, 36 characters")
    }
}

impl std::error::Error for BadId {}

impl<K> Id<K> {
    /// Makes a fresh id for something that begins at `now`; 32 of its bits are random, beside those of a counter.
    #[must_use]
    pub fn fresh(now: Timestamp) -> Self {
        let micros = u64::try_from(now.micros()).unwrap_or(0);
        let nanos = u32::try_from(micros % 1_000_000).unwrap_or(0) * 1_000;
        let instant = uuid::Timestamp::from_unix(&ORDER, micros / 1_000_000, nanos);
        Self {
            value: Uuid::new_v7(instant),
            kind: PhantomData,
        }
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Id<K> {}

impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<K> Eq for Id<K> {}

impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.value.cmp(&other.value)
    }
}

impl<K> std::hash::Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.value, f)
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.value.hyphenated(), f)
    }
}

impl<K> FromStr for Id<K> {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let value = Uuid::try_parse(text)
            .ok()
            .filter(|value| value.hyphenated().to_string() == text);
        value
            .map(|value| Self {
                value,
                kind: PhantomData,
            })
            .ok_or(BadId)
    }
}

impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Marks ids of users.
#[derive(Debug)]
pub enum User {}
/// Marks ids of sessions.
#[derive(Debug)]
pub enum Session {}
/// Marks ids of jobs.
#[derive(Debug)]
pub enum Job {}
/// Marks ids of nodes.
#[derive(Debug)]
pub enum Node {}
/// Marks ids of services.
#[derive(Debug)]
pub enum Service {}
/// Marks ids of runs of services.
#[derive(Debug)]
pub enum Run {}
/// Marks ids of tenants.
#[derive(Debug)]
pub enum Tenant {}
/// Marks ids of accounts.
#[derive(Debug)]
pub enum Account {}

/// The id of a user.
pub type UserId = Id<User>;
/// The id of a session.
pub type SessionId = Id<Session>;
/// The id of a job.
pub type JobId = Id<Job>;
/// The id of a node.
pub type NodeId = Id<Node>;
/// The id of a service.
pub type ServiceId = Id<Service>;
/// The id of one run of a service: of its process from one start to its end.
pub type RunId = Id<Run>;
/// The id of a tenant.
pub type TenantId = Id<Tenant>;
/// The id of an account.
pub type AccountId = Id<Account>;

#[cfg(test)]
mod tests {
    use super::{BadId, JobId};
    use crate::Timestamp;

    #[test]
    fn an_id_comes_back_from_its_text() {
        let id = JobId::fresh(Timestamp::from_micros(1_700_000_000_123_456));
        assert_eq!(id.to_string().parse::<JobId>(), Ok(id));
    }

    #[test]
    fn other_spellings_of_a_uuid_are_refused() {
        let id = JobId::fresh(Timestamp::from_micros(1_700_000_000_000_000)).to_string();
        for text in [
            id.to_uppercase(),
            id.replace('-', ""),
            format!("{{{id}}}"),
            String::new(),
        ] {
            assert_eq!(text.parse::<JobId>(), Err(BadId), "{text}");
        }
    }

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let early = JobId::fresh(Timestamp::from_micros(1_700_000_000_000_000));
        let late = JobId::fresh(Timestamp::from_micros(1_700_000_000_001_000));
        assert!(early < late);
    }

    #[test]
    fn ids_of_one_instant_sort_in_the_order_in_which_they_were_made() {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let made: Vec<JobId> = (0..10_000).map(|_| JobId::fresh(now)).collect();
        assert!(made.is_sorted_by(|earlier, later| earlier < later));
    }
}
