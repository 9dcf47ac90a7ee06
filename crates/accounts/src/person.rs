//! Users as those who look after money see them: tenant, label, e-mail address, roles and accounts.
//!
//! What it leaves to others: names, credentials and sessions (`access`).

use access::Secret;
use model::{Timestamp, UserId};

use crate::Membership;

/// A user who is to be made, as asked for.
pub struct NewPerson {
    /// The name of the tenant.
    pub tenant: String,
    /// The name, never used before in this zone: 1 to 63 of `A-Z a-z 0-9 _ . @ -`.
    pub name: String,
    /// What the person is called; empty: the name.
    pub label: String,
    /// Where the person is written to; may be empty.
    pub email: String,
    /// The password, 12 to 1024 bytes.
    pub password: Secret,
}

/// A role of a user in a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TenantRole {
    /// Looks after it.
    Admin,
    /// Looks after its money.
    Finance,
}

/// A role of a user over the zone, as SCOW calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlatformRole {
    /// Looks after everything.
    Admin,
    /// Looks after the zone's money.
    Finance,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The user.
    pub id: UserId,
    /// The number in the zone, from 1.
    pub number: u32,
    /// The name.
    pub name: String,
    /// What the person is called.
    pub label: String,
    /// Where the person is written to; may be empty.
    pub email: String,
    /// The name of the tenant.
    pub tenant: String,
    /// The roles in that tenant, in order.
    pub tenant_roles: Vec<TenantRole>,
    /// The roles over the zone, in order.
    pub platform_roles: Vec<PlatformRole>,
    /// When the user was made.
    pub created_at: Timestamp,
    /// The accounts that the user is in, by name.
    pub memberships: Vec<Membership>,
}
