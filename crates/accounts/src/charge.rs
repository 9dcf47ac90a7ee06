//! Charges: what accounts paid their tenants, and tenants the zone.
//!
//! What it leaves to others: how they come about (`settle`), the jobs behind them (`billed`).

use model::{Money, Timestamp};

/// Whose records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Target {
    /// Everybody's.
    #[default]
    Everything,
    /// The tenant's own, not those of its accounts.
    Tenant(String),
    /// All tenants' own.
    AllTenants,
    /// Those of these accounts of a tenant; empty: all of its accounts.
    AccountsOf {
        /// The tenant.
        tenant: String,
        /// Its accounts.
        accounts: Vec<String>,
    },
    /// Those of these accounts of any tenant; empty: all accounts.
    Accounts(Vec<String>),
}

/// Of which kinds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Kinds {
    /// Of any.
    #[default]
    Any,
    /// Of one of these.
    Only(Vec<String>),
    /// Of none of these.
    Not(Vec<String>),
}

/// Which charges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChargeFilter {
    /// Not before this instant.
    pub from: Option<Timestamp>,
    /// Not after this instant.
    pub to: Option<Timestamp>,
    /// Whose.
    pub target: Target,
    /// Of which kinds.
    pub kinds: Kinds,
    /// Only of jobs of the user of this name.
    pub user: Option<String>,
    /// Only of jobs of users whose name or label holds one of these texts, in whatever case; empty: all.
    pub users_like: Vec<String>,
}

/// By what charges are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeOrder {
    /// The name of the user.
    User,
    /// When.
    Time,
    /// The kind.
    Kind,
    /// How much.
    Amount,
}

/// A charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// Its number, from 1.
    pub id: u64,
    /// When it was made.
    pub at: Timestamp,
    /// The name of the tenant.
    pub tenant: String,
    /// The name of the account; none: the tenant paid.
    pub account: Option<String>,
    /// The name of the job's user.
    pub user: String,
    /// How much.
    pub amount: Money,
    /// Of what kind.
    pub kind: String,
    /// The remark.
    pub comment: String,
    /// The job's [`crate::BilledJob::index`].
    pub job: u64,
}

/// How much, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Total {
    /// The sum of the amounts.
    pub amount: Money,
    /// How many.
    pub count: u64,
}
