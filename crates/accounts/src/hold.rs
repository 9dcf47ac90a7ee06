//! What a job asks when it is submitted: who pays, and whether there is enough for the most that it can cost.
//!
//! What it leaves to others: its end (`settle`).

use model::{Money, Span, Timestamp, UserId};

/// Names one run of a job once and for all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobKey {
    /// The cluster.
    pub cluster: String,
    /// The job's number in it.
    pub number: u32,
    /// Its place in an array; 0 where it is none.
    pub array_index: u32,
    /// Which try it is; 0 for the first.
    pub attempt: u32,
    /// When it was submitted.
    pub submitted_at: Timestamp,
}

/// What the partition of a job has in all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Partition {
    /// Its name.
    pub name: String,
    /// Its cores.
    pub cores: u32,
    /// Its GPUs.
    pub gpus: u32,
    /// Its memory in MB.
    pub memory_mb: u64,
}

/// A job that is to be submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The job.
    pub key: JobKey,
    /// Whose it is.
    pub user: UserId,
    /// The name of that user.
    pub user_name: String,
    /// The account that is to pay; none: the user's only one.
    pub account: Option<String>,
    /// The job's name.
    pub name: String,
    /// Where it is to run.
    pub partition: Partition,
    /// The quality of service; may be empty.
    pub qos: String,
    /// How many nodes it asks for.
    pub nodes: u32,
    /// How many cores it asks for, on all of them.
    pub cpus: u32,
    /// How many GPUs it asks for, on all of them.
    pub gpus: u32,
    /// How much memory it asks for, in MB.
    pub memory_mb: u64,
    /// How long it may run.
    pub time_limit: Span,
}

/// A job that may be submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The name of the account that pays; none: nobody does.
    pub account: Option<String>,
    /// What is held until it ends: the most that it can cost.
    pub hold: Money,
    /// Whether there is a price for it. Without one it is charged when the first appears.
    pub is_priced: bool,
}

/// A job that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The job.
    pub key: JobKey,
    /// When it started; none: it never did, and costs nothing.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Where it ran.
    pub node_list: String,
}
