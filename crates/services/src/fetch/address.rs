//! Which addresses a fetch may connect to, judged at the moment of connecting.
//!
//! What a name leads to is chosen by whoever answers for the name, so a name never leads to this machine, to addresses
//! that only hold on one wire (where clouds keep their metadata), or into the zone's own network. An address that the
//! configuration writes out was chosen by the zone's owner; of these only the last two kinds stay closed.
//! What it leaves to others: the look-up itself (module `ask`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network of IPv4 addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Any address of it.
    pub address: Ipv4Addr,
    /// How many bits its addresses have in common, at most 32.
    pub bits: u32,
}

impl Network {
    fn holds(self, address: Ipv4Addr) -> bool {
        let mask = u32::MAX
            .checked_shl(32_u32.saturating_sub(self.bits))
            .unwrap_or(0);
        address.to_bits() & mask == self.address.to_bits() & mask
    }
}

const fn network(a: u8, b: u8, c: u8, d: u8, bits: u32) -> Network {
    Network {
        address: Ipv4Addr::new(a, b, c, d),
        bits,
    }
}

/// Never asked. Source: IANA's registry of special IPv4 addresses (RFC 6890), and where clouds keep their metadata.
const CLOSED: [Network; 9] = [
    network(0, 0, 0, 0, 8),
    network(100, 64, 0, 0, 10),
    network(168, 63, 129, 16, 32),
    network(169, 254, 0, 0, 16),
    network(192, 0, 0, 0, 24),
    network(192, 88, 99, 0, 24),
    network(198, 18, 0, 0, 15),
    network(224, 0, 0, 0, 4),
    network(240, 0, 0, 0, 4),
];

/// Whether an address may be connected to; `is_literal`: the configuration writes it out.
pub(super) fn is_open(address: IpAddr, is_literal: bool, own: Network) -> bool {
    match address {
        IpAddr::V4(address) => is_open_v4(address, is_literal, own),
        IpAddr::V6(address) => is_open_v6(address, is_literal, own),
    }
}

fn is_open_v4(address: Ipv4Addr, is_literal: bool, own: Network) -> bool {
    if own.holds(address) || CLOSED.iter().any(|closed| closed.holds(address)) {
        return false;
    }
    is_literal || !address.is_loopback()
}

fn is_open_v6(address: Ipv6Addr, is_literal: bool, own: Network) -> bool {
    if let Some(inner) = inner(address) {
        // An IPv4 address in another dress is judged as what it is, and never as written out.
        return is_open_v4(inner, false, own);
    }
    let [first, second, ..] = address.segments();
    let closed = address.is_unspecified()
        || address.is_multicast()
        || first & 0xffc0 == 0xfe80
        || first & 0xffc0 == 0xfec0
        || (first == 0xfd00 && second == 0x0ec2);
    !closed && (is_literal || !address.is_loopback())
}

/// The IPv4 address within an IPv6 one: mapped, compatible, behind NAT64 (RFC 6052), or 6to4 (RFC 3056).
fn inner(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, _, _, _, _, high, low] => Some(join(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{is_open, network};

    fn judge(text: &str, is_literal: bool) -> bool {
        let address: IpAddr = text.parse().expect("an address");
        is_open(address, is_literal, network(10, 77, 0, 0, 16))
    }

    #[test]
    fn w07_a_name_never_leads_to_this_machine_its_wire_or_the_zone() {
        for text in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "10.77.0.1",
            "10.77.255.255",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::7f00:1",
            "2002:7f00:1::1",
            "2002:a4d:1::1",
        ] {
            assert!(!judge(text, false), "{text}");
        }
        for text in [
            "93.184.216.34",
            "10.0.0.7",
            "192.168.1.5",
            "2606:2800:220:1::1",
            "fd12::1",
        ] {
            assert!(judge(text, false), "{text}");
        }
    }

    #[test]
    fn w07_an_address_that_is_written_out_may_be_this_machine_and_nothing_closed() {
        for text in ["127.0.0.1", "::1", "10.0.0.7"] {
            assert!(judge(text, true), "{text}");
        }
        for text in [
            "169.254.169.254",
            "10.77.0.1",
            "0.0.0.0",
            "::ffff:127.0.0.1",
            "fe80::1",
            "224.0.0.1",
        ] {
            assert!(!judge(text, true), "{text}");
        }
    }
}
