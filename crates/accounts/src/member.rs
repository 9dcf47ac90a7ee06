//! Who is in which account.
//!
//! What it leaves to others: the accounts (`account`), the users (`person`).

/// What a user may do in an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberRole {
    /// Runs jobs on it.
    User,
    /// Looks after its users too.
    Admin,
    /// Has it; each account has one owner.
    Owner,
}

/// An account that a user is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The account's name.
    pub account: String,
    /// As what.
    pub role: MemberRole,
}

/// A user who is to be taken into an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewMember {
    /// The tenant of both; none: the account's.
    pub tenant: Option<String>,
    /// The account's name.
    pub account: String,
    /// The user's name.
    pub user: String,
}
