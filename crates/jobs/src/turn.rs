//! Whose turn it is: a fair FIFO over users, as a pure function.
//!
//! What it leaves to others: starting jobs (module `reconcile`).

use std::collections::{BTreeMap, BTreeSet};

use model::UserId;

/// What a job takes, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) user: UserId,
    pub(crate) cores: u32,
    pub(crate) memory_bytes: u64,
}

/// What the node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) cores: u32,
    pub(crate) memory_bytes: u64,
}

/// Who starts now, and what the next one waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn<K> {
    /// In the order of their turns.
    pub(crate) start: Vec<K>,
    /// The first that does not fit, with the room that is left for it.
    pub(crate) blocked: Option<(K, Room)>,
}

/// When each user had a turn last, in turns since the start. Only users with unfinished jobs are kept.
#[derive(Debug, Default)]
pub(crate) struct Past {
    turns: u64,
    last: BTreeMap<UserId, u64>,
}

/// Gives turns: the user with the fewest cores in use first, where equal the one whose last turn is longest
/// ago, where equal the older job; within a user the oldest job. The first that does not fit holds back all
/// others, so that it is next when there is room.
///
/// `waiting` is in the order of submission.
pub(crate) fn next<K: Copy>(
    waiting: &[(K, Claim)],
    running: &[Claim],
    node: Room,
    past: &mut Past,
) -> Turn<K> {
    let claims = waiting.iter().map(|(_, claim)| claim).chain(running);
    let present: BTreeSet<UserId> = claims.map(|claim| claim.user).collect();
    past.last.retain(|user, _| present.contains(user));
    let mut room = node;
    let mut used: BTreeMap<UserId, u64> = BTreeMap::new();
    for claim in running {
        room.take(claim);
        *used.entry(claim.user).or_default() += u64::from(claim.cores);
    }
    let mut open: Vec<(usize, &(K, Claim))> = waiting.iter().enumerate().collect();
    let mut start = Vec::new();
    loop {
        let in_use = |claim: &Claim| used.get(&claim.user).copied().unwrap_or(0);
        let first = open
            .iter()
            .enumerate()
            .min_by_key(|(_, (age, (_, claim)))| (in_use(claim), past.last.get(&claim.user).copied(), *age));
        let Some((place, (_, (key, claim)))) = first else {
            return Turn { start, blocked: None };
        };
        if claim.cores > room.cores || claim.memory_bytes > room.memory_bytes {
            return Turn {
                start,
                blocked: Some((*key, room)),
            };
        }
        room.take(claim);
        *used.entry(claim.user).or_default() += u64::from(claim.cores);
        past.turns += 1;
        past.last.insert(claim.user, past.turns);
        start.push(*key);
        open.remove(place);
    }
}

impl Room {
    fn take(&mut self, claim: &Claim) {
        self.cores = self.cores.saturating_sub(claim.cores);
        self.memory_bytes = self.memory_bytes.saturating_sub(claim.memory_bytes);
    }
}

#[cfg(test)]
mod tests {
    use model::{Timestamp, UserId};

    use super::{Claim, Past, Room, Turn};

    const NODE: Room = Room {
        cores: 4,
        memory_bytes: 100,
    };

    fn next(waiting: &[(u32, Claim)], running: &[Claim], node: Room) -> Turn<u32> {
        super::next(waiting, running, node, &mut Past::default())
    }

    fn claim(user: UserId, cores: u32) -> Claim {
        Claim {
            user,
            cores,
            memory_bytes: 1,
        }
    }

    fn users() -> (UserId, UserId) {
        let at = Timestamp::from_secs;
        (UserId::fresh(at(1)), UserId::fresh(at(2)))
    }

    #[test]
    fn one_user_cannot_keep_another_waiting_behind_a_thousand_jobs() {
        let (ada, bob) = users();
        let mut waiting: Vec<(u32, Claim)> = (0..1000).map(|number| (number, claim(ada, 1))).collect();
        waiting.push((1000, claim(bob, 1)));
        assert_eq!(next(&waiting, &[], NODE).start, [0, 1000, 1, 2]);
    }

    #[test]
    fn turns_change_between_users_also_when_only_one_job_runs_at_a_time() {
        let (ada, bob) = users();
        let node = Room { cores: 1, ..NODE };
        let mut past = Past::default();
        let mut waiting = vec![(1, ada), (2, ada), (3, ada), (4, bob), (5, bob)];
        let mut order = Vec::new();
        while !waiting.is_empty() {
            let claims: Vec<_> = waiting.iter().map(|&(key, user)| (key, claim(user, 1))).collect();
            let started = super::next(&claims, &[], node, &mut past).start;
            waiting.retain(|(key, _)| !started.contains(key));
            order.extend(started);
        }
        assert_eq!(order, [1, 4, 2, 5, 3]);
    }

    #[test]
    fn within_a_user_the_oldest_is_first_and_a_large_job_is_not_overtaken() {
        let (ada, _) = users();
        let waiting = [(1, claim(ada, 2)), (2, claim(ada, 4)), (3, claim(ada, 1))];
        let turn = next(&waiting, &[], NODE);
        assert_eq!(turn.start, [1]);
        assert_eq!(turn.blocked.map(|(key, room)| (key, room.cores)), Some((2, 2)));
    }

    #[test]
    fn memory_counts_like_cores() {
        let (ada, _) = users();
        let large = Claim {
            memory_bytes: 60,
            ..claim(ada, 1)
        };
        let turn = next(&[(1, large), (2, large)], &[], NODE);
        assert_eq!((turn.start, turn.blocked.is_some()), (vec![1], true));
    }

    #[test]
    fn who_runs_already_counts() {
        let (ada, bob) = users();
        let waiting = [(1, claim(ada, 1)), (2, claim(bob, 1))];
        let turn = next(&waiting, &[claim(ada, 3)], NODE);
        assert_eq!(turn.start, [2]);
    }
}
