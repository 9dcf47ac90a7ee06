//! T08 and the bounds of the tables.

use std::net::{IpAddr, Ipv4Addr};

use model::{Origin, Span, Timestamp};

use super::{MOST, Tries};
use crate::Error;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().expect("an address"))
}

fn wait(answer: Result<(), Error>) -> Option<Span> {
    match answer {
        Err(Error::TooManyTries { wait }) => Some(wait),
        Ok(()) => None,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn an_address_has_its_minute_of_tries_and_gains_one_with_time() {
    let tries = Tries::new(60);
    let home = address("192.0.2.1");
    assert!((0..60).all(|_| tries.enter(home, NOW).is_ok()));
    assert_eq!(wait(tries.enter(home, NOW)), Some(Span::from_secs(1)));
    assert!(
        tries.enter(address("192.0.2.2"), NOW).is_ok(),
        "another address is not held up"
    );
    let later = NOW + Span::from_secs(1);
    assert!(tries.enter(home, later).is_ok());
    assert!(tries.enter(home, later).is_err());
}

#[test]
fn addresses_of_one_ipv6_network_share_their_tries_and_mapped_ones_count_as_ipv4() {
    let tries = Tries::new(1);
    assert!(tries.enter(address("2001:db8::1"), NOW).is_ok());
    assert!(tries.enter(address("2001:db8::ffff:2"), NOW).is_err());
    assert!(tries.enter(address("2001:db8:0:1::1"), NOW).is_ok());
    assert!(tries.enter(address("192.0.2.1"), NOW).is_ok());
    assert!(tries.enter(address("::ffff:192.0.2.1"), NOW).is_err());
}

#[test]
fn t08_waits_grow_to_a_quarter_of_an_hour_and_end_with_a_right_password() {
    let tries = Tries::new(60);
    let (here, there) = (address("192.0.2.1"), address("192.0.2.2"));
    let mut now = NOW;
    let mut waits = Vec::new();
    for _ in 0..18 {
        tries.wrong("ada", here, now);
        let wait = wait(tries.may_guess("ada", here, now));
        waits.push(wait.map_or(0, Span::secs));
        now = now + wait.unwrap_or(Span::ZERO);
        assert!(tries.may_guess("ada", here, now).is_ok(), "the wait ends");
        assert!(tries.may_guess("ada", there, now).is_ok() && tries.may_guess("bob", here, now).is_ok());
    }
    assert_eq!(waits[..8], [0, 0, 0, 0, 2, 4, 8, 16]);
    assert_eq!(waits[17], 900);
    tries.right("ada", here);
    tries.wrong("ada", here, now);
    assert!(tries.may_guess("ada", here, now).is_ok());
}

#[test]
fn the_tables_stay_bounded_and_forget_the_longest_unused() {
    let tries = Tries::new(2);
    let count = u32::try_from(MOST).expect("small") + 100;
    for n in 0..count {
        let (address, now) = (
            Some(IpAddr::V4(Ipv4Addr::from_bits(n))),
            NOW + Span::from_micros(i64::from(n)),
        );
        assert!(tries.enter(address, now).is_ok());
        tries.wrong("ada", address, now);
    }
    let state = tries.state();
    assert!(state.origins.len() <= MOST && state.wrong.len() <= MOST);
    let newest = Some(IpAddr::V4(Ipv4Addr::from_bits(count - 1)));
    assert!(
        state.origins.contains_key(&Origin::from(newest))
            && !state.origins.contains_key(&Origin::from(address("0.0.0.0")))
    );
}
