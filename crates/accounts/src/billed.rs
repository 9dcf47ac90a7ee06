//! Jobs that were charged, with what they cost.
//!
//! What it leaves to others: jobs that run (crate `jobs`).

use model::{Money, Timestamp};

/// Which jobs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobFilter {
    /// Only of the tenant of this name.
    pub tenant: Option<String>,
    /// Only of these clusters; empty: all.
    pub clusters: Vec<String>,
    /// Only of the user of this name.
    pub user: Option<String>,
    /// Only of the account of this name.
    pub account: Option<String>,
    /// Only from this [`BilledJob::index`] on.
    pub from_index: Option<u64>,
    /// Only with this number in its cluster.
    pub number: Option<u32>,
    /// Only ended at this instant or later.
    pub ended_from: Option<Timestamp>,
    /// Only ended at this instant or before.
    pub ended_to: Option<Timestamp>,
}

/// By what jobs are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobOrder {
    /// The number in the cluster.
    Number,
    /// The account's name.
    Account,
    /// The cluster's name.
    Cluster,
    /// The job's name.
    Name,
    /// The partition's name.
    Partition,
    /// The quality of service.
    Qos,
    /// When it ended.
    Ended,
    /// When it was submitted.
    Submitted,
    /// The user's name.
    User,
    /// What the account paid.
    AccountPrice,
}

/// A job that was charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BilledJob {
    /// Its number among all that were charged, from 1, in the order in which they were.
    pub index: u64,
    /// The cluster.
    pub cluster: String,
    /// Its number in the cluster.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// The name of its user.
    pub user: String,
    /// The name of the account that paid.
    pub account: String,
    /// The name of the account's tenant.
    pub tenant: String,
    /// The partition.
    pub partition: String,
    /// The quality of service.
    pub qos: String,
    /// Where it ran.
    pub node_list: String,
    /// How many nodes it had.
    pub nodes: u32,
    /// How many cores it had.
    pub cpus: u32,
    /// How many GPUs it had.
    pub gpus: u32,
    /// How much memory it asked for, in MB.
    pub memory_mb: u64,
    /// How long it might have run, in seconds.
    pub limit_secs: u64,
    /// How long it ran as billed, in seconds.
    pub billed_secs: u64,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// When it was charged.
    pub recorded_at: Timestamp,
    /// What the account paid.
    pub account_price: Money,
    /// What the tenant paid.
    pub tenant_price: Money,
    /// The id of the price that the account paid.
    pub account_item: String,
    /// The id of the price that the tenant paid.
    pub tenant_item: String,
}

/// Some of the jobs, and all of their money.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BilledPage {
    /// The jobs of this page.
    pub jobs: Vec<BilledJob>,
    /// How many pass the filter.
    pub count: u64,
    /// What accounts paid for all of these.
    pub account_total: Money,
    /// What tenants paid for all of these.
    pub tenant_total: Money,
}
