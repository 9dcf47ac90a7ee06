//! The addresses of machines, in pairs: the odd one is handed out, the even one after it is kept as its peer.
//!
//! The first pair is the server's own. An address that was given back rests before somebody else gets it, and those
//! that nobody had yet go first. What it leaves to others: the overlay that they are addresses in.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use model::{NodeId, Span, Timestamp};
use store::{Tx, params};

use crate::Error;

/// A network of IPv4 addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    base: u32,
    bits: u8,
}

impl Pool {
    /// A network by its base address and its length.
    ///
    /// # Errors
    /// `Invalid` where the length is not 8 to 29, or the address is not the network's first.
    pub fn new(base: Ipv4Addr, bits: u8) -> Result<Self, Error> {
        if !(8..=29).contains(&bits) {
            return Err(Error::BadPool {
                fault: "its length is not 8 to 29 bits",
            });
        }
        let pool = Self {
            base: base.to_bits(),
            bits,
        };
        if pool.base & (pool.size() - 1) != 0 {
            return Err(Error::BadPool {
                fault: "its address is not the first of the network",
            });
        }
        Ok(pool)
    }

    /// Its first address, and how many bits all its addresses have in common.
    #[must_use]
    pub const fn network(self) -> (Ipv4Addr, u8) {
        (Ipv4Addr::from_bits(self.base), self.bits)
    }

    const fn size(self) -> u32 {
        1 << (32 - self.bits)
    }

    /// The server's own address.
    pub(crate) fn server(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base + 1)
    }

    /// The first address for a machine: the pair before it is the server's.
    pub(crate) fn first(self) -> i64 {
        i64::from(self.base) + 3
    }

    /// The address of the machine that the server runs on.
    pub(crate) fn own(self) -> i64 {
        i64::from(self.base) + 1
    }

    /// The last address for a machine: its peer stands before the network's last address.
    fn last(self) -> i64 {
        i64::from(self.base) + i64::from(self.size()) - 3
    }

    /// How many machines it holds.
    #[must_use]
    pub fn holds(self) -> u32 {
        self.size() / 2 - 2
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from_bits(self.base), self.bits)
    }
}

impl FromStr for Pool {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts = text.split_once('/');
        let parts = parts.and_then(|(base, bits)| Some((base.parse().ok()?, bits.parse().ok()?)));
        let (base, bits) = parts.ok_or(Error::BadPool {
            fault: "it is no network",
        })?;
        Self::new(base, bits)
    }
}

/// Hands out an address: one that nobody had yet, or else the one that rests longest.
pub(crate) fn take(tx: &mut Tx<'_>, pool: Pool, node: NodeId, now: Timestamp) -> Result<i64, Error> {
    let row = tx.row(
        "UPDATE nodes_zone SET next = next + 2 WHERE one = 1 AND next <= ?1 RETURNING next",
        params![pool.last()],
    )?;
    if let Some(row) = row {
        let address = row.get::<i64>(0)? - 2;
        tx.execute(
            "INSERT INTO node_addresses (address, node_id) VALUES (?1, ?2)",
            params![address, node],
        )?;
        return Ok(address);
    }
    let row = tx.row(
        "SELECT address FROM node_addresses WHERE node_id IS NULL AND free_from <= ?1 AND address >= ?2 \
         ORDER BY free_from, address LIMIT 1",
        params![now, pool.first()],
    )?;
    let address: i64 = row.ok_or(Error::PoolFull { pool })?.get(0)?;
    tx.execute(
        "UPDATE node_addresses SET node_id = ?1, free_from = NULL WHERE address = ?2",
        params![node, address],
    )?;
    Ok(address)
}

/// Hands the first pair to the machine that the server runs on.
pub(crate) fn take_own(tx: &mut Tx<'_>, pool: Pool, node: NodeId) -> Result<i64, Error> {
    tx.execute(
        "INSERT INTO node_addresses (address, node_id) VALUES (?1, ?2) \
         ON CONFLICT (address) DO UPDATE SET node_id = excluded.node_id, free_from = NULL",
        params![pool.own(), node],
    )?;
    Ok(pool.own())
}

/// Takes back the address of a machine; it rests for a while.
pub(crate) fn release(tx: &mut Tx<'_>, node: NodeId, quarantine: Span, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "UPDATE node_addresses SET node_id = NULL, free_from = ?1 WHERE node_id = ?2",
        params![now + quarantine, node],
    )?;
    Ok(())
}

/// The stored form of an address as an address.
pub(crate) fn address(stored: i64) -> Result<Ipv4Addr, Error> {
    let bits = u32::try_from(stored).map_err(|_out_of_range| Error::Row { what: "address" })?;
    Ok(Ipv4Addr::from_bits(bits))
}

#[cfg(test)]
mod tests {
    use super::{Pool, address};

    #[test]
    fn a_pool_counts_pairs_and_keeps_its_ends() {
        for (text, first, last, holds) in [
            ("10.77.0.0/16", "10.77.0.3", "10.77.255.253", 32_766),
            ("10.1.1.0/24", "10.1.1.3", "10.1.1.253", 126),
            ("10.1.1.8/29", "10.1.1.11", "10.1.1.13", 2),
        ] {
            let pool: Pool = text.parse().unwrap();
            assert_eq!(pool.to_string(), text);
            let shown = |stored| address(stored).unwrap().to_string();
            assert_eq!(
                (shown(pool.first()), shown(pool.last())),
                (first.to_owned(), last.to_owned())
            );
            assert_eq!(pool.holds(), holds);
            assert_eq!(i64::from(holds), (pool.last() - pool.first()) / 2 + 1);
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "10.77.0.0",
            "10.77.0.1/16",
            "10.0.0.0/7",
            "10.0.0.0/30",
            "10.0.0/16",
            "fd00::/64",
        ] {
            assert!(text.parse::<Pool>().is_err(), "{text}");
        }
    }
}
