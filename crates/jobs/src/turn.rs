//! Whose turn it is, and where: a fair FIFO over users and nodes, as a pure function.
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

/// What a node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) cores: u32,
    pub(crate) memory_bytes: u64,
}

/// A node that can take jobs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    /// Everything that it has.
    pub(crate) room: Room,
    /// What runs there or is about to.
    pub(crate) running: Vec<Claim>,
}

/// Where a job may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// On one of the sites, by its place.
    Site(usize),
    /// On whichever has room; the first where several have as much.
    Any,
}

/// A job that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate<K> {
    pub(crate) key: K,
    pub(crate) claim: Claim,
    pub(crate) wanted: Wanted,
}

/// Who starts now, and what the next ones wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn<K> {
    /// In the order of their turns, each with its site.
    pub(crate) start: Vec<(K, usize)>,
    /// Those that do not fit now and hold back others, each with the room that is left for it.
    pub(crate) blocked: Vec<(K, Room)>,
    /// Those that are larger than every site that they may run on.
    pub(crate) too_large: Vec<K>,
}

/// When each user had a turn last, in turns since the start. Only users with unfinished jobs are kept.
#[derive(Debug, Default)]
pub(crate) struct Past {
    turns: u64,
    last: BTreeMap<UserId, u64>,
}

/// A site while turns are given.
struct Open {
    whole: Room,
    left: Room,
    open: bool,
}

impl Open {
    /// Whether a job may ever run here.
    fn suits<K>(&self, place: usize, candidate: &Candidate<K>) -> bool {
        let here = match candidate.wanted {
            Wanted::Site(wanted) => wanted == place,
            Wanted::Any => true,
        };
        here && self.whole.holds(&candidate.claim)
    }
}

/// Gives turns: the user with the fewest cores in use first, where equal the one whose last turn is longest
/// ago, where equal the older job; within a user the oldest job. The first that does not fit on any node where it may
/// run holds back all others there, so that it is next when there is room.
///
/// `waiting` is in the order of submission. A job that may run anywhere goes where the most cores are free.
pub(crate) fn next<K: Copy>(waiting: &[Candidate<K>], sites: &[Site], past: &mut Past) -> Turn<K> {
    let running = sites.iter().flat_map(|site| &site.running);
    let claims = waiting
        .iter()
        .map(|candidate| &candidate.claim)
        .chain(running.clone());
    let present: BTreeSet<UserId> = claims.map(|claim| claim.user).collect();
    past.last.retain(|user, _| present.contains(user));
    let mut used: BTreeMap<UserId, u64> = BTreeMap::new();
    for claim in running {
        *used.entry(claim.user).or_default() += u64::from(claim.cores);
    }
    let mut places: Vec<Open> = sites.iter().map(open).collect();
    let suits = |places: &[Open], candidate: &Candidate<K>, only_open: bool| {
        let mut places = places.iter().enumerate();
        places.any(|(place, site)| (site.open || !only_open) && site.suits(place, candidate))
    };
    let aged = waiting.iter().enumerate();
    let (mut left, too_large): (Vec<_>, Vec<_>) = aged.partition(|(_, one)| suits(&places, one, false));
    let mut turn = Turn {
        start: Vec::new(),
        blocked: Vec::new(),
        too_large: too_large
            .into_iter()
            .map(|(_, candidate)| candidate.key)
            .collect(),
    };
    loop {
        let in_use = |claim: &Claim| used.get(&claim.user).copied().unwrap_or(0);
        let first = left.iter().enumerate().min_by_key(|(_, (age, one))| {
            (in_use(&one.claim), past.last.get(&one.claim.user).copied(), *age)
        });
        let Some((index, &(_, candidate))) = first else {
            return turn;
        };
        let claim = &candidate.claim;
        let Some(place) = roomiest(&places, candidate) else {
            turn.blocked.push((candidate.key, close(&mut places, candidate)));
            left.retain(|(_, one)| suits(&places, one, true));
            continue;
        };
        if let Some(site) = places.get_mut(place) {
            site.left.take(claim);
        }
        *used.entry(claim.user).or_default() += u64::from(claim.cores);
        past.turns += 1;
        past.last.insert(claim.user, past.turns);
        turn.start.push((candidate.key, place));
        left.remove(index);
    }
}

fn open(site: &Site) -> Open {
    let mut left = site.room;
    for claim in &site.running {
        left.take(claim);
    }
    Open {
        whole: site.room,
        left,
        open: true,
    }
}

/// The open site with the most free cores that holds the candidate now; the first of several.
fn roomiest<K>(places: &[Open], candidate: &Candidate<K>) -> Option<usize> {
    let fits = places.iter().enumerate().filter(|(place, site)| {
        site.open && site.suits(*place, candidate) && site.left.holds(&candidate.claim)
    });
    // Of several that are equal, `max_by_key` would take the last.
    fits.rev()
        .max_by_key(|(_, site)| site.left.cores)
        .map(|(place, _)| place)
}

/// Closes every site that the candidate waits for, and gives the most room that one of them has left.
fn close<K>(places: &mut [Open], candidate: &Candidate<K>) -> Room {
    let mut most = Room {
        cores: 0,
        memory_bytes: 0,
    };
    for (place, site) in places.iter_mut().enumerate() {
        if site.suits(place, candidate) {
            site.open = false;
            if (site.left.cores, site.left.memory_bytes) > (most.cores, most.memory_bytes) {
                most = site.left;
            }
        }
    }
    most
}

impl Room {
    const fn holds(&self, claim: &Claim) -> bool {
        claim.cores <= self.cores && claim.memory_bytes <= self.memory_bytes
    }

    fn take(&mut self, claim: &Claim) {
        self.cores = self.cores.saturating_sub(claim.cores);
        self.memory_bytes = self.memory_bytes.saturating_sub(claim.memory_bytes);
    }
}

#[cfg(test)]
mod tests;
