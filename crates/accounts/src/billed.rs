//! Jobs that were charged, with what they cost.
//!
//! What it leaves to others: jobs that run (crate `jobs`).

use access::{Cover, Permit};
use model::{Money, Timestamp};
use store::{Row, Tx};

use crate::{Charges, Error, Handle, Paging, query::Query, words};

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

const STEP: &str = "add up the prices";

impl Handle {
    /// Lists jobs that were charged, as far as [`Handle::charges`] reaches.
    ///
    /// # Errors
    /// Invalid: [`Error::Overflow`].
    pub async fn billed_jobs(
        &self,
        permit: &Permit<Charges>,
        filter: JobFilter,
        paging: Paging<JobOrder>,
    ) -> Result<BilledPage, Error> {
        let query = query(&filter, permit.cover());
        let end = query.end(&paging, "bill", column);
        let jobs = format!("SELECT {COLUMNS} FROM job_bills {end}");
        let totals = format!(
            "SELECT COUNT(*), {}, {} FROM job_bills {}",
            words::sum_columns("account_price"),
            words::sum_columns("tenant_price"),
            query.conditions()
        );
        let values = query.values;
        let read = move |tx: &mut Tx<'_>| {
            let rows = tx.rows(&jobs, &values)?;
            let row = tx.row(&totals, &values)?.ok_or(Error::Row { what: "sum" })?;
            Ok(BilledPage {
                jobs: rows.iter().map(job).collect::<Result<Vec<BilledJob>, Error>>()?,
                count: row.get(0)?,
                account_total: words::money(words::sum(&row, 1)?, STEP)?,
                tenant_total: words::money(words::sum(&row, 3)?, STEP)?,
            })
        };
        permit.read(&self.inner.store, read).await
    }
}

fn query(filter: &JobFilter, cover: &Cover) -> Query {
    let mut query = Query::new();
    query.add("bill IS NOT NULL");
    query.named("tenant_name", filter.tenant.as_deref());
    query.among("cluster", &filter.clusters);
    query.named("user_name", filter.user.as_deref());
    query.named("account_name", filter.account.as_deref());
    let from = filter
        .from_index
        .map(|from| i64::try_from(from).unwrap_or(i64::MAX));
    query.compare("bill >=", from);
    query.compare("number =", filter.number);
    query.within("ended_at", filter.ended_from, filter.ended_to);
    query.own_money(cover, true);
    query
}

const fn column(order: JobOrder) -> &'static str {
    match order {
        JobOrder::Number => "number",
        JobOrder::Account => "account_name",
        JobOrder::Cluster => "cluster",
        JobOrder::Name => "name",
        JobOrder::Partition => "partition_name",
        JobOrder::Qos => "qos",
        JobOrder::Ended => "ended_at",
        JobOrder::Submitted => "submitted_at",
        JobOrder::User => "user_name",
        JobOrder::AccountPrice => "account_price",
    }
}

const COLUMNS: &str = "bill, cluster, number, name, user_name, account_name, tenant_name, partition_name, qos, \
    node_list, nodes, cpus, gpus, memory_mb, limit_secs, submitted_at, started_at, ended_at, recorded_at, \
    account_price, tenant_price, \
    (SELECT i.id FROM price_items i WHERE i.number = job_bills.account_item), \
    (SELECT i.id FROM price_items i WHERE i.number = job_bills.tenant_item)";

fn job(row: &Row) -> Result<BilledJob, Error> {
    let limit_secs: u64 = row.get(14)?;
    let (started_at, ended_at): (Timestamp, Timestamp) = (row.get(16)?, row.get(17)?);
    let ran_secs = u64::try_from((ended_at - started_at).secs()).unwrap_or(0);
    Ok(BilledJob {
        index: row.get(0)?,
        cluster: row.get(1)?,
        number: row.get(2)?,
        name: row.get(3)?,
        user: row.get(4)?,
        account: row.get(5)?,
        tenant: row.get(6)?,
        partition: row.get(7)?,
        qos: row.get(8)?,
        node_list: row.get(9)?,
        nodes: row.get(10)?,
        cpus: row.get(11)?,
        gpus: row.get(12)?,
        memory_mb: row.get(13)?,
        limit_secs,
        billed_secs: ran_secs.min(limit_secs),
        submitted_at: row.get(15)?,
        started_at,
        ended_at,
        recorded_at: row.get(18)?,
        account_price: row.get(19)?,
        tenant_price: row.get(20)?,
        account_item: row.get(21)?,
        tenant_item: row.get(22)?,
    })
}
