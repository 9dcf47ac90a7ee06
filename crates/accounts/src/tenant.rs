//! Tenants: who has accounts, and pays the zone for what these use.
//!
//! What it leaves to others: their money (`ledger`, `pay`), their users (`person`).

use model::{Money, TenantId, Timestamp};
use store::{Tx, params};

use crate::{Error, ledger, numbers};

/// The tenant of every user who was not put into another.
pub const DEFAULT_TENANT: &str = "default";

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The tenant.
    pub id: TenantId,
    /// Its number in the zone, from 1.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// What it has left: payments less charges.
    pub balance: Money,
    /// An account without a threshold of its own is blocked at this balance and below.
    pub block_threshold: Money,
    /// How many users it has.
    pub users: u32,
    /// How many accounts it has.
    pub accounts: u32,
    /// The names of its administrators, in order.
    pub admins: Vec<String>,
    /// The names of those who look after its money, in order.
    pub financial_staff: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Makes the tenant `default` where there is none.
pub(crate) fn make_default(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Error> {
    let there = tx.row("SELECT 1 FROM tenants WHERE folded = ?1", params![DEFAULT_TENANT])?;
    if there.is_none() {
        insert(tx, DEFAULT_TENANT, now)?;
    }
    Ok(())
}

/// Writes a tenant and its books.
pub(crate) fn insert(tx: &mut Tx<'_>, name: &str, now: Timestamp) -> Result<TenantId, Error> {
    let id = TenantId::fresh(now);
    let number = numbers::next(tx, "tenant")?;
    tx.execute(
        "INSERT INTO tenants (id, number, name, folded, block_threshold, made_at) VALUES (?1, ?2, ?3, ?4, 0, ?5)",
        params![id, number, name, name.to_ascii_lowercase(), now],
    )?;
    ledger::open(tx, &crate::Book::Tenant(id))?;
    ledger::open(tx, &crate::Book::Earned(id))?;
    Ok(id)
}
