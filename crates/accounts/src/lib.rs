//! Money: tenants, accounts and the users in them, prices, payments, charges, and the ledger that holds it all.
//!
//! Request path: a door asks for the permit of one action and calls [`Handle`]; whatever moves money does so in one
//! transaction with the record that explains it. A job asks [`Handle::admit`] in the transaction that submits it and
//! [`Handle::settle`] in the transaction that writes its end: the first holds the most that the job can cost, the
//! second releases that and charges what it did cost.
//! What it leaves to others: protocols (the dialects), who may do what (`access`), running jobs (`jobs`).
//!
//! Invariants: the entries of a transfer sum to zero and are never changed; a book's balance is the sum of its
//! entries; a balance less what is held never falls below the account's threshold by a submit; a job is charged
//! once, at the prices that counted when it was submitted, at most for what was held, and never for nothing because
//! no price was there; an amount that cannot be kept is refused and changes nothing.

mod account;
mod action;
mod attention;
mod bill;
mod billed;
mod carry;
mod charge;
mod comment;
mod enrol;
mod error;
mod hold;
mod item;
mod ledger;
mod member;
mod numbers;
mod pay;
mod person;
pub mod price;
mod query;
mod roster;
mod rule;
mod settle;
mod tenant;
mod words;

use std::sync::Arc;

use access::{Access, SystemPermit};
use model::Money;
use store::{Migration, Store};
use tasks::{Clock, Tasks};

pub use account::{Account, AccountFilter, NewAccount, Standing, State};
pub use action::{
    ACTIONS, Charges, Create, CreateTenant, Enrol, Fetch, Initialise, Join, Look, Pay, Price, Prices,
};
pub use attention::Counts;
pub use billed::{BilledJob, BilledPage, JobFilter, JobOrder};
pub use charge::{Charge, ChargeFilter, ChargeOrder, Kinds, Target, Total};
pub use error::Error;
pub use hold::{Admitted, Asked, Ended, JobKey, Partition};
pub use item::{NewPrice, PriceItem, PriceList};
pub use ledger::{Book, Ledger};
pub use member::{MemberRole, Membership, NewMember};
pub use pay::{Paid, Payment, PaymentFilter, Receipt};
pub use person::{NewPerson, Person, PlatformRole, TenantRole};
pub use roster::Member;
pub use tenant::{DEFAULT_TENANT, Tenant};

use settle::Booking;

/// The tables of this slice.
pub const MIGRATIONS: &[Migration] = &[Migration {
    room: "accounts",
    number: 1,
    sql: include_str!("../sql/0001_accounts.sql"),
}];

/// What the zone decides about money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How many decimals amounts and prices keep, 0 to 4.
    pub decimals: u8,
    /// The least that a job costs that ran at all at a price above zero.
    pub min_charge: Money,
    /// Whether a job needs an account.
    pub required: bool,
    /// The kind of the charges of jobs.
    pub job_charge_type: String,
    /// The comment of the charges of jobs; `{{ cluster }}`, `{{ idJob }}` and the like stand for what the job has.
    pub job_charge_comment: String,
    /// The name of the zone's own cluster.
    pub cluster: String,
}

impl Default for Config {
    /// Two decimals, 0.01 at least, no account needed, SCOW's own words, cluster `local`.
    fn default() -> Self {
        Self {
            decimals: 2,
            min_charge: Money::from_ten_thousandths(100),
            required: false,
            job_charge_type: "作业费用".to_owned(),
            job_charge_comment: "集群: {{ cluster }}，作业ID：{{ idJob }}".to_owned(),
            cluster: "local".to_owned(),
        }
    }
}

/// What the slice is built from.
pub struct Parts {
    /// Keeps the rows.
    pub store: Store,
    /// Makes users.
    pub access: Access,
    /// Owns the slice's tasks.
    pub tasks: Tasks,
    /// Tells the time.
    pub clock: Clock,
    /// The decisions.
    pub config: Config,
}

/// The use cases. Clones share everything.
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    access: Access,
    clock: Clock,
    config: Config,
}

/// Part of a list, in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging<O> {
    /// How many to pass over.
    pub offset: u64,
    /// How many at most; nothing: all.
    pub limit: Option<u64>,
    /// By what, and whether the largest comes first; nothing: the newest first.
    pub order: Option<(O, bool)>,
}

impl<O> Default for Paging<O> {
    /// Everything, the newest first.
    fn default() -> Self {
        Self {
            offset: 0,
            limit: None,
            order: None,
        }
    }
}

/// Opens the slice: makes the tenant `default` where there is none, and begins to say which jobs have no price.
///
/// # Errors
/// The store's own.
pub async fn start(parts: Parts) -> Result<Handle, Error> {
    let now = parts.clock.now();
    SystemPermit::new("accounts.start")
        .write(&parts.store, move |tx| tenant::make_default(tx, now))
        .await?;
    let tasks = parts.tasks.child();
    let inner = Arc::new(Inner {
        store: parts.store,
        access: parts.access,
        clock: parts.clock,
        config: parts.config,
    });
    attention::start(Arc::clone(&inner), &tasks);
    Ok(Handle { inner })
}

impl Handle {
    /// What the zone decides about money.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }
}

impl Inner {
    /// How charges of jobs are worded.
    fn booking(&self) -> Booking {
        Booking {
            kind: self.config.job_charge_type.clone(),
            comment: self.config.job_charge_comment.clone(),
        }
    }
}
