//! Tests of whose turn it is.

use model::{Timestamp, UserId};

use super::{Candidate, Claim, Past, Room, Site, Turn, Wanted};

const NODE: Room = Room {
    cores: 4,
    memory_bytes: 100,
};

fn candidate(key: u32, claim: Claim, wanted: Wanted) -> Candidate<u32> {
    Candidate { key, claim, wanted }
}

fn on_one(waiting: &[(u32, Claim)], running: &[Claim], room: Room, past: &mut Past) -> Turn<u32> {
    let one = |&(key, claim): &(u32, Claim)| candidate(key, claim, Wanted::Site(0));
    let waiting: Vec<_> = waiting.iter().map(one).collect();
    let running = running.to_vec();
    super::next(&waiting, &[Site { room, running }], past)
}

fn next(waiting: &[(u32, Claim)], running: &[Claim], room: Room) -> Turn<u32> {
    on_one(waiting, running, room, &mut Past::default())
}

fn started(turn: &Turn<u32>) -> Vec<u32> {
    turn.start.iter().map(|(key, _)| *key).collect()
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
    assert_eq!(started(&next(&waiting, &[], NODE)), [0, 1000, 1, 2]);
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
        let started = started(&on_one(&claims, &[], node, &mut past));
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
    assert_eq!(started(&turn), [1]);
    let blocked: Vec<_> = turn
        .blocked
        .iter()
        .map(|(key, room)| (*key, room.cores))
        .collect();
    assert_eq!(blocked, [(2, 2)]);
}

#[test]
fn memory_counts_like_cores() {
    let (ada, _) = users();
    let large = Claim {
        memory_bytes: 60,
        ..claim(ada, 1)
    };
    let turn = next(&[(1, large), (2, large)], &[], NODE);
    assert_eq!((started(&turn), turn.blocked.len()), (vec![1], 1));
}

#[test]
fn who_runs_already_counts() {
    let (ada, bob) = users();
    let waiting = [(1, claim(ada, 1)), (2, claim(bob, 1))];
    let turn = next(&waiting, &[claim(ada, 3)], NODE);
    assert_eq!(started(&turn), [2]);
}

fn site(cores: u32, running: &[Claim]) -> Site {
    Site {
        room: Room { cores, ..NODE },
        running: running.to_vec(),
    }
}

#[test]
fn a_job_that_waits_for_one_node_holds_back_nobody_on_another() {
    let (ada, bob) = users();
    let sites = [site(4, &[claim(ada, 4)]), site(4, &[])];
    let waiting = [
        candidate(1, claim(bob, 1), Wanted::Site(0)),
        candidate(2, claim(bob, 1), Wanted::Site(1)),
        candidate(3, claim(bob, 1), Wanted::Any),
        candidate(4, claim(bob, 1), Wanted::Site(0)),
    ];
    let turn = super::next(&waiting, &sites, &mut Past::default());
    assert_eq!(turn.start, [(2, 1), (3, 1)]);
    let blocked: Vec<_> = turn.blocked.iter().map(|(key, _)| *key).collect();
    assert_eq!(blocked, [1], "one for each node that is full");
}

#[test]
fn who_may_run_anywhere_runs_where_most_is_free_and_is_not_overtaken_where_nothing_is() {
    let (ada, bob) = users();
    let sites = [site(4, &[claim(ada, 3)]), site(4, &[claim(ada, 1)])];
    let waiting = [
        candidate(1, claim(bob, 2), Wanted::Any),
        candidate(2, claim(bob, 2), Wanted::Any),
        candidate(3, claim(bob, 1), Wanted::Site(0)),
        candidate(4, claim(bob, 1), Wanted::Site(1)),
    ];
    let turn = super::next(&waiting, &sites, &mut Past::default());
    assert_eq!(turn.start, [(1, 1)]);
    let blocked: Vec<_> = turn
        .blocked
        .iter()
        .map(|(key, room)| (*key, room.cores))
        .collect();
    assert_eq!(blocked, [(2, 1)]);
    let even = [site(4, &[]), site(4, &[])];
    let turn = super::next(&waiting[..1], &even, &mut Past::default());
    assert_eq!(turn.start, [(1, 0)], "the first of two that are equal");
}

#[test]
fn who_is_larger_than_every_node_is_named_and_holds_back_nobody() {
    let (ada, _) = users();
    let sites = [site(2, &[]), site(8, &[claim(ada, 8)])];
    let waiting = [
        candidate(1, claim(ada, 4), Wanted::Site(0)),
        candidate(2, claim(ada, 9), Wanted::Any),
        candidate(3, claim(ada, 4), Wanted::Any),
        candidate(4, claim(ada, 1), Wanted::Site(0)),
    ];
    let turn = super::next(&waiting, &sites, &mut Past::default());
    assert_eq!(turn.too_large, [1, 2]);
    assert_eq!(turn.start, [(4, 0)], "it waits for the large node only");
    let blocked: Vec<_> = turn.blocked.iter().map(|(key, _)| *key).collect();
    assert_eq!(blocked, [3]);
}
