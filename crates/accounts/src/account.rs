//! Accounts: what users of a tenant share to pay for their jobs.
//!
//! What it leaves to others: who is in them (`member`), their money (`ledger`, `pay`), holds of jobs (`hold`).

use model::{AccountId, Money, Timestamp};

/// An account that is to be made, as asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewAccount {
    /// 1 to 63 of `A-Z a-z 0-9 _ . -`; no other account of the zone has it, in whatever case.
    pub name: String,
    /// The name of its tenant.
    pub tenant: String,
    /// The name of its owner, a user of that tenant.
    pub owner: String,
    /// A remark; may be empty.
    pub comment: String,
}

/// What administrators decided about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Its balance decides.
    Normal,
    /// It is frozen.
    Frozen,
    /// An administrator blocked it.
    Blocked,
}

/// Whether an account may run jobs, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It may.
    Normal,
    /// It is frozen.
    Frozen,
    /// An administrator blocked it.
    Blocked,
    /// Its balance is at its threshold or below.
    BelowThreshold,
}

impl Standing {
    /// Whether the account may run no job.
    #[must_use]
    pub const fn is_blocked(self) -> bool {
        !matches!(self, Standing::Normal)
    }

    /// Why it may or may not, as the end of a sentence.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Standing::Normal => "in order",
            Standing::Frozen => "frozen; ask an administrator",
            Standing::Blocked => "blocked by an administrator; ask one",
            Standing::BelowThreshold => "blocked, because its balance is used up; pay in first",
        }
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// The name of its tenant.
    pub tenant: String,
    /// What administrators decided.
    pub state: State,
    /// Whether it may run jobs.
    pub standing: Standing,
    /// The name of its owner.
    pub owner: String,
    /// What the owner is called.
    pub owner_label: String,
    /// A remark.
    pub comment: String,
    /// What it has left: payments less charges.
    pub balance: Money,
    /// What its unfinished jobs may still cost; part of the balance.
    pub held: Money,
    /// It is blocked at this balance and below; none: its tenant's counts.
    pub block_threshold: Option<Money>,
    /// The threshold of its tenant.
    pub default_block_threshold: Money,
    /// How many users are in it.
    pub users: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Which accounts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountFilter {
    /// Only of the tenant of this name.
    pub tenant: Option<String>,
    /// Only the account of this name.
    pub name: Option<String>,
}
