//! What the cluster offers to jobs, for doors that tell it.
//!
//! What it leaves to others: whether a job fits (`draft`), and who may know (the doors).

use crate::{Error, Handle, Whole, submit::whole};

/// The nodes of the cluster, and what they have together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// How many nodes were heard of since the start.
    pub nodes: usize,
    /// The name of the node where work goes that names none; none where there is no such node.
    pub usual: Option<String>,
    /// What all nodes have together.
    pub whole: Whole,
}

impl Handle {
    /// Tells what the cluster offers.
    ///
    /// # Errors
    /// It cannot be told which nodes there are.
    pub async fn offered(&self) -> Result<Offered, Error> {
        let offers = self.offers().await?;
        let usual = offers.iter().find(|offer| offer.is_usual);
        Ok(Offered {
            nodes: offers.iter().filter(|offer| offer.capacity.is_some()).count(),
            usual: usual.map(|offer| offer.name.clone()),
            whole: whole(&offers),
        })
    }
}
