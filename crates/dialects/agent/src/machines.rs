//! The zone's machines as the server reaches them: which has a link now, and a channel to each.
//!
//! What it leaves to others: who a machine is (`judge`), and what is said over the channel (the halves of each sort of
//! work, built on [`Reach`]).

use model::NodeId;
use rpc::link::{Links, Reach};
use tokio::sync::watch;

/// Finds each machine of the zone by its id, and tells which of them has a link. Clones share everything.
#[derive(Debug, Clone, Default)]
pub struct Machines {
    links: Links,
}

impl Machines {
    /// No machine has a link yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A channel to a machine; give clones of it to generated clients. It may be made long before the machine has a
    /// link. A call without one ends at once with UNAVAILABLE.
    #[must_use]
    pub fn reach(&self, node: NodeId) -> Reach {
        self.links.reach(&node.to_string())
    }

    /// Tells whether a machine has a link now.
    #[must_use]
    pub fn is_present(&self, node: NodeId) -> bool {
        self.links.live(&node.to_string()) > 0
    }

    /// Tells with each new value that a link came or went.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.links.changes()
    }

    pub(crate) fn links(&self) -> &Links {
        &self.links
    }
}
