//! A machine as stored, and as shown.
//!
//! What it leaves to others: what it told last (`heartbeat`).

use std::net::Ipv4Addr;

use model::{Name, NodeId, Timestamp};
use store::{Row, Tx, params};

use crate::{Error, pool};

/// A machine of the zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The machine.
    pub id: NodeId,
    /// Its name, never given to anything else.
    pub name: Name,
    /// Its address in the zone's network; the one after it is its peer's.
    pub address: Ipv4Addr,
    /// SHA-256 of its TLS key, 64 hex digits.
    pub tls_key: String,
    /// Its Ed25519 key as a device, 64 hex digits; empty where its client made none.
    pub device_key: String,
    /// Its X25519 key in the overlay, 64 hex digits; empty where its client made none.
    pub overlay_key: String,
    /// When it joined.
    pub joined_at: Timestamp,
    /// When it was last heard of, exact to 10 minutes where it is not there now.
    pub last_seen: Option<Timestamp>,
    /// Whether it is there now.
    pub is_live: bool,
    /// The agent's version; empty where it told none since the server started.
    pub version: String,
    /// Its cores; 0 where it told none.
    pub cores: u32,
    /// Its bytes of memory; 0 where it told none.
    pub memory_bytes: u64,
    /// When its newest certificate ends; known in lists only.
    pub certificate_ends_at: Option<Timestamp>,
}

impl Node {
    /// The even address that is kept beside [`Node::address`].
    #[must_use]
    pub const fn peer_address(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits().saturating_add(1))
    }
}

const COLUMNS: &str = "id, name, address, tls_key, device_key, overlay_key, joined_at, last_seen";

pub(crate) fn query(end: &str) -> String {
    format!("SELECT {COLUMNS} FROM nodes WHERE ended_at IS NULL AND {end}")
}

pub(crate) fn read(row: &Row) -> Result<Node, Error> {
    let address: Option<i64> = row.get(2)?;
    Ok(Node {
        id: row.get(0)?,
        name: row.get(1)?,
        address: pool::address(address.ok_or(Error::Row { what: "machine" })?)?,
        tls_key: row.get(3)?,
        device_key: row.get::<Option<String>>(4)?.unwrap_or_default(),
        overlay_key: row.get::<Option<String>>(5)?.unwrap_or_default(),
        joined_at: row.get(6)?,
        last_seen: row.get(7)?,
        is_live: false,
        version: String::new(),
        cores: 0,
        memory_bytes: 0,
        certificate_ends_at: None,
    })
}

/// The machine of this id, where it is one still.
pub(crate) fn by_id(tx: &mut Tx<'_>, id: NodeId) -> Result<Node, Error> {
    let row = tx.row(&query("id = ?1"), params![id])?;
    row.map_or_else(
        || {
            Err(Error::NotFound {
                what: "this machine".to_owned(),
            })
        },
        |row| read(&row),
    )
}

/// The machine of this name, where it is one still.
pub(crate) fn by_name(tx: &mut Tx<'_>, name: &str) -> Result<Node, Error> {
    // What cannot be a name names nothing, and is not repeated.
    let known: Option<Name> = name.parse().ok();
    let row = match &known {
        Some(name) => tx.row(&query("name = ?1"), params![name])?,
        None => None,
    };
    let what = known.map_or_else(|| "node".to_owned(), |name| format!("node `{name}`"));
    row.map_or(Err(Error::NotFound { what }), |row| read(&row))
}
