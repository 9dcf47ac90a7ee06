//! The counts stay bounded and none is lost.

use std::net::{IpAddr, Ipv4Addr};

use model::Timestamp;

use super::{Anonymous, MOST};
use crate::Peer;

#[test]
fn a_million_addresses_fill_a_bounded_table_and_every_try_is_counted() {
    let (counts, now) = (Anonymous::default(), Timestamp::from_secs(60));
    for n in 0..10_000 {
        let peer = Peer::new(Some(IpAddr::V4(Ipv4Addr::from_bits(n))), "native");
        counts.count(&peer, "session.authenticate", now);
    }
    assert!(counts.take(now, false).is_empty(), "the minute still runs");
    let entries = counts.take(Timestamp::from_secs(120), false);
    assert!(entries.len() <= MOST + 1);
    assert_eq!(entries.iter().map(|entry| entry.times).sum::<u32>(), 10_000);
    assert!(
        counts.take(Timestamp::from_secs(240), true).is_empty(),
        "taken once"
    );
}
