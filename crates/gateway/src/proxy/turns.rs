//! How many requests may be on their way, over all and for each user.
//!
//! What it leaves to others: saying so to the one who has to wait.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use model::UserId;

/// The places of the proxy. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    most_of_a_user: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_user: BTreeMap<UserId, usize>,
}

/// One request's place; free again when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Turns,
    user: UserId,
}

impl Turns {
    pub(super) fn new(most: usize, most_of_a_user: usize) -> Self {
        Self(Arc::new(Inner {
            most,
            most_of_a_user,
            taken: Mutex::default(),
        }))
    }

    /// Takes a place, if there is one.
    pub(super) fn take(&self, user: UserId) -> Option<Turn> {
        let mut taken = self.taken();
        let of_user = taken.by_user.get(&user).copied().unwrap_or(0);
        if taken.all >= self.0.most || of_user >= self.0.most_of_a_user {
            return None;
        }
        taken.all += 1;
        taken.by_user.insert(user, of_user + 1);
        let turns = self.clone();
        Some(Turn { turns, user })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut taken = self.turns.taken();
        taken.all -= 1;
        if let Some(of_user) = taken.by_user.get_mut(&self.user) {
            *of_user -= 1;
            if *of_user == 0 {
                taken.by_user.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Timestamp, UserId};

    use super::Turns;

    #[test]
    fn one_user_leaves_places_to_others_and_gives_back_what_was_taken() {
        let turns = Turns::new(3, 2);
        let (ada, ben) = (
            UserId::fresh(Timestamp::from_secs(1)),
            UserId::fresh(Timestamp::from_secs(1)),
        );
        let first = turns.take(ada).unwrap();
        let second = turns.take(ada).unwrap();
        assert!(turns.take(ada).is_none());
        let third = turns.take(ben).unwrap();
        assert!(turns.take(ben).is_none(), "all are taken");
        drop(first);
        drop(second);
        drop(third);
        assert!(turns.taken().by_user.is_empty());
        assert_eq!(turns.taken().all, 0);
    }
}
