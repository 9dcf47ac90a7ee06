//! The zone's machines as the server reaches them: which has a link now, and a channel to each.
//!
//! What it leaves to others: who a machine is (`judge`), and what is said over the channel (the halves of each sort of
//! work, built on [`Reach`]).

use model::NodeId;
use rpc::link::{Links, Reach};
use tasks::Clock;
use tokio::sync::watch;

use crate::runs::{PATIENCE, Runs};

/// Finds each machine of the zone by its id, and tells which of them has a link. Clones share everything.
#[derive(Debug, Clone)]
pub struct Machines {
    links: Links,
    runs: Runs,
}

impl Default for Machines {
    fn default() -> Self {
        Self::new()
    }
}

impl Machines {
    /// No machine has a link yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            links: Links::new(),
            runs: Runs::new(Clock::system(), PATIENCE),
        }
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

    /// Every machine that dials twice at once with the same keys, in words: a data folder was copied.
    #[must_use]
    pub fn alarms(&self) -> Vec<String> {
        self.runs.alarms()
    }

    pub(crate) fn runs(&self) -> Runs {
        self.runs.clone()
    }

    pub(crate) fn links(&self) -> &Links {
        &self.links
    }
}
