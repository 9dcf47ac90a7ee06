//! Charges: what accounts paid their tenants, and tenants the zone.
//!
//! What it leaves to others: how they come about (`settle`), the jobs behind them (`billed`).

use access::{Cover, Permit};
use model::{Money, Timestamp};
use store::{Row, Tx};

use crate::{Charges, Error, Handle, Paging, query::Query, words};

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

/// The column of a user's label.
const LABEL: &str = "(SELECT p.label FROM people p WHERE p.user_id = charges.user_id)";

fn query(filter: &ChargeFilter, cover: &Cover) -> Query {
    let mut query = Query::new();
    query.within("at", filter.from, filter.to);
    query.target(&filter.target);
    query.kinds(&filter.kinds);
    query.named("user_name", filter.user.as_deref());
    query.like(&["user_name", LABEL], &filter.users_like);
    query.own_money(cover, true);
    query
}

impl Handle {
    /// Lists charges. Whoever reaches over their own only sees what their own jobs cost, and all charges of accounts
    /// that they look after.
    ///
    /// # Errors
    /// The store's own.
    pub async fn charges(
        &self,
        permit: &Permit<Charges>,
        filter: ChargeFilter,
        paging: Paging<ChargeOrder>,
    ) -> Result<Vec<Charge>, Error> {
        let query = query(&filter, permit.cover());
        let end = query.end(&paging, "number", |order| match order {
            ChargeOrder::User => "user_name",
            ChargeOrder::Time => "at",
            ChargeOrder::Kind => "kind",
            ChargeOrder::Amount => "amount",
        });
        let sql = format!(
            "SELECT number, at, tenant_name, account_name, user_name, amount, kind, comment, bill FROM charges {end}"
        );
        let values = query.values;
        let read = move |tx: &mut Tx<'_>| tx.rows(&sql, &values)?.iter().map(charge).collect();
        permit.read(&self.inner.store, read).await
    }

    /// Adds up the charges that [`Handle::charges`] lists.
    ///
    /// # Errors
    /// Invalid: [`Error::Overflow`].
    pub async fn charges_total(
        &self,
        permit: &Permit<Charges>,
        filter: ChargeFilter,
    ) -> Result<Total, Error> {
        let query = query(&filter, permit.cover());
        let sums = words::sum_columns("amount");
        let sql = format!("SELECT COUNT(*), {sums} FROM charges {}", query.conditions());
        let values = query.values;
        let read = move |tx: &mut Tx<'_>| {
            let row = tx.row(&sql, &values)?.ok_or(Error::Row { what: "sum" })?;
            Ok(Total {
                count: row.get(0)?,
                amount: words::money(words::sum(&row, 1)?, "add up the charges")?,
            })
        };
        permit.read(&self.inner.store, read).await
    }
}

fn charge(row: &Row) -> Result<Charge, Error> {
    Ok(Charge {
        id: row.get(0)?,
        at: row.get(1)?,
        tenant: row.get(2)?,
        account: row.get(3)?,
        user: row.get(4)?,
        amount: row.get(5)?,
        kind: row.get(6)?,
        comment: row.get(7)?,
        job: row.get(8)?,
    })
}
