//! Payments: money that comes from outside into an account or a tenant, or goes back.
//!
//! What it leaves to others: the books (`ledger`).

use model::{Money, Timestamp};

use crate::Target;

/// A payment that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payment {
    /// The name of the tenant.
    pub tenant: String,
    /// The account of that tenant; none: the tenant itself.
    pub account: Option<String>,
    /// How much; below zero: taken out.
    pub amount: Money,
    /// Of what kind, such as "cash"; at most 255 characters.
    pub kind: String,
    /// A remark; at most 255 characters.
    pub comment: String,
    /// Who says that it was paid, as the caller names them.
    pub operator: String,
    /// The address of that person, as the caller names it.
    pub ip_address: String,
    /// The same id again answers the payment of that time and moves no money.
    pub request_id: Option<String>,
}

/// A payment that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    /// Its number, from 1.
    pub id: u64,
    /// The balance before it.
    pub previous: Money,
    /// The balance after it.
    pub current: Money,
}

/// Which payments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PaymentFilter {
    /// Not before this instant.
    pub from: Option<Timestamp>,
    /// Not after this instant.
    pub to: Option<Timestamp>,
    /// Whose.
    pub target: Target,
    /// Only of these kinds; empty: all.
    pub kinds: Vec<String>,
}

/// A payment as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its number, from 1.
    pub id: u64,
    /// When it was made.
    pub at: Timestamp,
    /// The name of the tenant.
    pub tenant: String,
    /// The name of the account; none: the tenant itself.
    pub account: Option<String>,
    /// How much; below zero: taken out.
    pub amount: Money,
    /// Of what kind.
    pub kind: String,
    /// The remark.
    pub comment: String,
    /// Who said that it was paid.
    pub operator: String,
    /// The address of that person.
    pub ip_address: String,
}
