//! Who shares a count of tries, told from the network address they come from.
//!
//! What it leaves to others: what is counted, and how much of it is too much.

use std::net::{IpAddr, Ipv6Addr};

/// One IPv4 address, one IPv6 network of 64 bits (whoever has one has all of its addresses), or those whose address is
/// not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(Option<IpAddr>);

impl From<Option<IpAddr>> for Origin {
    fn from(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            v4 @ IpAddr::V4(_) => v4,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::Origin;

    fn of(text: &str) -> Origin {
        Origin::from(Some(text.parse().expect("an address")))
    }

    #[test]
    fn addresses_of_one_network_are_one_origin_and_neighbours_are_not() {
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), Origin::from(None));
    }
}
