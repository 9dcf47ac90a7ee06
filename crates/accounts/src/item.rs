//! Prices: what a cluster's partition costs, for everybody or for one tenant's accounts.
//!
//! A price is never changed: the newest of a path counts for jobs that are submitted from then on.
//! What it leaves to others: the formula (`price`).

use model::{Money, Timestamp};

use crate::price::Amount;

/// A price that is to be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPrice {
    /// Its id, which no other price has; none: the zone's next.
    pub id: Option<String>,
    /// The tenant for whose accounts it counts; none: for everybody, and for what tenants pay.
    pub tenant: Option<String>,
    /// `CLUSTER.PARTITION` or `CLUSTER.PARTITION.QOS`.
    pub path: String,
    /// The price of one for an hour; not below zero.
    pub price: Money,
    /// What is counted.
    pub amount: Amount,
    /// A remark; may be empty.
    pub description: String,
}

/// A price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceItem {
    /// Its id.
    pub id: String,
    /// The tenant for whose accounts it counts; none: for everybody.
    pub tenant: Option<String>,
    /// `CLUSTER.PARTITION` or `CLUSTER.PARTITION.QOS`.
    pub path: String,
    /// The price of one for an hour.
    pub price: Money,
    /// What is counted.
    pub amount: Amount,
    /// A remark.
    pub description: String,
    /// When it was set.
    pub created_at: Timestamp,
}

/// Prices that count, and those of before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PriceList {
    /// Those that count, by path.
    pub active: Vec<PriceItem>,
    /// Those that newer ones replaced, the oldest first.
    pub history: Vec<PriceItem>,
}
