//! Tries of a call: how many, after how long, and when there are no more.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tonic::Code;

use super::{PUSHBACK, Throttle, Throttling, Turns};
use crate::channel::service_config::Policy;

fn policy(attempts: u32) -> Policy {
    Policy {
        attempts,
        first_wait: Duration::from_millis(100),
        longest_wait: Duration::from_millis(300),
        growth: 2000,
        codes: vec![14],
    }
}

fn pushed(value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(PUSHBACK, HeaderValue::from_static(value))])
}

#[test]
fn waits_grow_up_to_the_longest_are_spread_by_a_fifth_and_come_to_an_end() {
    let policy = policy(5);
    for (spread, wanted) in [
        (0.5, [100, 200, 300, 300]),
        (0.0, [80, 160, 240, 240]),
        (1.0, [120, 240, 360, 360]),
    ] {
        let mut turns = Turns::new(Some(&policy), None);
        for (made, millis) in (1..).zip(wanted) {
            let wait = turns.after(Code::Unavailable, &HeaderMap::new(), spread);
            assert_eq!(wait, Some(Duration::from_millis(millis)));
            let mut headers = HeaderMap::new();
            turns.tell(&mut headers);
            assert_eq!(headers["grpc-previous-rpc-attempts"], made.to_string());
        }
        assert_eq!(turns.after(Code::Unavailable, &HeaderMap::new(), spread), None);
    }
}

#[test]
fn only_the_codes_of_the_policy_are_made_again_and_nothing_without_one() {
    let policy = policy(5);
    let none = HeaderMap::new();
    assert_eq!(
        Turns::new(Some(&policy), None).after(Code::Internal, &none, 0.5),
        None
    );
    assert_eq!(Turns::new(None, None).after(Code::Unavailable, &none, 0.5), None);
    let mut first = HeaderMap::new();
    Turns::new(Some(&policy), None).tell(&mut first);
    assert!(first.is_empty(), "the first try says nothing");
}

#[test]
fn a_server_says_when_it_wants_a_call_again_and_that_it_does_not() {
    let policy = policy(5);
    let mut turns = Turns::new(Some(&policy), None);
    let mut after = |headers: &HeaderMap| turns.after(Code::Unavailable, headers, 0.5);
    assert_eq!(after(&HeaderMap::new()), Some(Duration::from_millis(100)));
    assert_eq!(after(&pushed("1234")), Some(Duration::from_millis(1234)));
    let begun_anew = after(&HeaderMap::new());
    assert_eq!(begun_anew, Some(Duration::from_millis(100)), "waits begin anew");
    for never in ["-1", "soon", "", "99999999999"] {
        let mut turns = Turns::new(Some(&policy), None);
        assert_eq!(
            turns.after(Code::Unavailable, &pushed(never), 0.5),
            None,
            "{never}"
        );
    }
    let covered = Turns::new(Some(&policy), None).after(Code::Internal, &pushed("1"), 0.5);
    assert_eq!(covered, None, "its code is not in the policy");
}

#[test]
fn while_too_many_calls_fail_none_is_made_again() {
    let (policy, none) = (policy(2), HeaderMap::new());
    let throttle = Throttle::new(Throttling {
        most_tokens: 4000,
        ratio: 500,
    });
    let again = || Turns::new(Some(&policy), Some(&throttle)).after(Code::Unavailable, &none, 0.5);
    assert!(again().is_some(), "three of four left");
    assert!(again().is_none(), "half is not more than half");
    assert!(again().is_none());
    // Other failures do not count, and what goes well gives back.
    let other = Turns::new(Some(&policy), Some(&throttle)).after(Code::Internal, &none, 0.5);
    assert!(other.is_none());
    for _ in 0..4 {
        throttle.went_well();
    }
    assert!(again().is_none(), "three, of which this one takes one");
    for _ in 0..100 {
        throttle.went_well();
    }
    assert!(again().is_some());
    assert!(again().is_none(), "never more than four");
}

#[test]
fn a_call_that_nobody_has_seen_is_made_again_once() {
    let mut turns = Turns::new(None, None);
    assert!(turns.after_unseen());
    assert!(!turns.after_unseen());
}
