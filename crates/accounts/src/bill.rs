//! The stored form of a job that an account pays for, and the statements that read and write it.
//!
//! What it leaves to others: decisions (modules `hold`, `settle`).

use model::{AccountId, Id, Money, TenantId, Timestamp, UserId};
use store::{Row, Tx, Value, params};

use crate::{
    Asked, Error, JobKey, account,
    carry::Waiting,
    item::{Pinned, Place},
    price::{Rule, Usage},
};

/// The topic under which jobs are announced that wait for a price or for their charge; the key is the bill's id.
pub(crate) const WAITING: &str = "accounts.waiting";

/// Marks ids of bills.
#[derive(Debug)]
pub(crate) enum OfBill {}

/// The id of a bill.
pub(crate) type BillId = Id<OfBill>;

/// Where a bill stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The job has not ended.
    Open,
    /// The job has ended and is not charged.
    Ended,
    /// The job is charged.
    Charged,
    /// The job never started.
    Void,
}

impl State {
    const ALL: [State; 4] = [State::Open, State::Ended, State::Charged, State::Void];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Ended => "ended",
            State::Charged => "charged",
            State::Void => "void",
        }
    }
}

/// A job that an account pays for.
#[derive(Debug, Clone)]
pub(crate) struct Bill {
    pub(crate) id: BillId,
    pub(crate) key: JobKey,
    pub(crate) user: UserId,
    pub(crate) user_name: String,
    pub(crate) account: AccountId,
    pub(crate) account_name: String,
    pub(crate) tenant: TenantId,
    pub(crate) tenant_name: String,
    pub(crate) name: String,
    pub(crate) partition: String,
    pub(crate) qos: String,
    pub(crate) nodes: u32,
    /// What it was given, with the seconds of its time limit.
    pub(crate) usage: Usage,
    decimals: u8,
    min_charge: Money,
    pub(crate) account_item: Option<i64>,
    pub(crate) tenant_item: Option<i64>,
    pub(crate) hold: Money,
    pub(crate) state: State,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) node_list: String,
}

const COLUMNS: &str = "id, cluster, number, array_index, attempt, submitted_at, user_id, user_name, account_id, \
    account_name, tenant_id, tenant_name, name, partition_name, qos, nodes, cpus, gpus, memory_mb, limit_secs, \
    partition_cores, partition_gpus, partition_memory_mb, decimals, min_charge, account_item, tenant_item, hold, \
    state, started_at, ended_at, node_list";

fn read(row: &Row) -> Result<Bill, Error> {
    let state: String = row.get(28)?;
    let state = State::ALL.into_iter().find(|known| known.word() == state);
    Ok(Bill {
        id: row.get(0)?,
        key: JobKey {
            cluster: row.get(1)?,
            number: row.get(2)?,
            array_index: row.get(3)?,
            attempt: row.get(4)?,
            submitted_at: row.get(5)?,
        },
        user: row.get(6)?,
        user_name: row.get(7)?,
        account: row.get(8)?,
        account_name: row.get(9)?,
        tenant: row.get(10)?,
        tenant_name: row.get(11)?,
        name: row.get(12)?,
        partition: row.get(13)?,
        qos: row.get(14)?,
        nodes: row.get(15)?,
        usage: Usage {
            cpus: row.get(16)?,
            gpus: row.get(17)?,
            mem_req_mb: row.get(18)?,
            elapsed_secs: row.get(19)?,
            partition_cores: row.get(20)?,
            partition_gpus: row.get(21)?,
            partition_mem_mb: row.get(22)?,
        },
        decimals: row.get(23)?,
        min_charge: row.get(24)?,
        account_item: row.get(25)?,
        tenant_item: row.get(26)?,
        hold: row.get(27)?,
        state: state.ok_or(Error::Row { what: "bill" })?,
        started_at: row.get(29)?,
        ended_at: row.get(30)?,
        node_list: row.get(31)?,
    })
}

/// How many decimals of which least charge a zone has; a bill keeps what counted when it was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rounding {
    pub(crate) decimals: u8,
    pub(crate) min_charge: Money,
}

impl Bill {
    /// A bill of a job that is being submitted, without prices.
    pub(crate) fn new(asked: &Asked, account: &account::Brief, rounding: Rounding, now: Timestamp) -> Self {
        let micros = asked.time_limit.micros();
        let limit = u64::try_from(micros).unwrap_or(0).div_ceil(1_000_000);
        Self {
            id: BillId::fresh(now),
            key: asked.key.clone(),
            user: asked.user,
            user_name: asked.user_name.clone(),
            account: account.id,
            account_name: account.name.clone(),
            tenant: account.tenant,
            tenant_name: account.tenant_name.clone(),
            name: asked.name.replace('\0', "?"),
            partition: asked.partition.name.clone(),
            qos: asked.qos.clone(),
            nodes: asked.nodes,
            usage: Usage {
                cpus: u64::from(asked.cpus),
                gpus: u64::from(asked.gpus),
                mem_req_mb: kept(asked.memory_mb),
                elapsed_secs: limit,
                partition_cores: kept(asked.partition.cores),
                partition_gpus: kept(asked.partition.gpus),
                partition_mem_mb: kept(asked.partition.memory_mb),
            },
            decimals: rounding.decimals,
            min_charge: rounding.min_charge,
            account_item: None,
            tenant_item: None,
            hold: Money::ZERO,
            state: State::Open,
            started_at: None,
            ended_at: None,
            node_list: String::new(),
        }
    }

    /// Where prices find the job.
    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            cluster: &self.key.cluster,
            partition: &self.partition,
            qos: &self.qos,
        }
    }

    /// How a price is applied to this job.
    pub(crate) const fn rule(&self, price: &Pinned) -> Rule {
        Rule {
            amount: price.amount,
            unit_price: price.unit_price,
            decimals: self.decimals,
            min_charge: self.min_charge,
        }
    }

    /// Whether both prices are known.
    pub(crate) const fn is_priced(&self) -> bool {
        self.account_item.is_some() && self.tenant_item.is_some()
    }

    /// Whether a price or another try would carry it on.
    fn waits(&self) -> bool {
        match self.state {
            State::Open => !self.is_priced(),
            State::Ended => true,
            State::Charged | State::Void => false,
        }
    }

    /// The seconds that are billed: whole ones, at most those of the limit.
    pub(crate) fn billed_secs(&self) -> u64 {
        let (Some(started), Some(ended)) = (self.started_at, self.ended_at) else {
            return 0;
        };
        let secs = u64::try_from((ended - started).secs()).unwrap_or(0);
        secs.min(self.usage.elapsed_secs)
    }
}

/// A number as a row can hold it; no machine has more.
fn kept(number: u64) -> u64 {
    number.min(u64::try_from(i64::MAX).unwrap_or(0))
}

/// The bill of a job.
pub(crate) fn by_key(tx: &mut Tx<'_>, key: &JobKey) -> Result<Option<Bill>, Error> {
    let row = tx.row(
        &format!(
            "SELECT {COLUMNS} FROM job_bills WHERE cluster = ?1 AND number = ?2 AND array_index = ?3 \
             AND attempt = ?4 AND submitted_at = ?5"
        ),
        params![
            &key.cluster,
            key.number,
            key.array_index,
            key.attempt,
            key.submitted_at
        ],
    )?;
    row.as_ref().map(read).transpose()
}

/// The bill with this id, which nobody else changes until the transaction ends.
pub(crate) fn locked(tx: &mut Tx<'_>, id: BillId) -> Result<Bill, Error> {
    tx.lock_row("job_bills", "id", Value::from(id))?;
    let row = tx.row(
        &format!("SELECT {COLUMNS} FROM job_bills WHERE id = ?1"),
        params![id],
    )?;
    read(&row.ok_or(Error::Row { what: "bill" })?)
}

/// The next of the bills that wait, the oldest first.
pub(crate) fn waiting(tx: &mut Tx<'_>, which: &Waiting, most: u32) -> Result<Vec<BillId>, Error> {
    let after = which.after.map(|id| id.to_string()).unwrap_or_default();
    let mut values = vec![Value::from(after), Value::from(most)];
    let place = match &which.path {
        None => "",
        Some(path) => {
            values.push(Value::from(path));
            "AND (cluster || '.' || partition_name = ?3 OR cluster || '.' || partition_name || '.' || qos = ?3)"
        }
    };
    let sql = format!("SELECT id FROM job_bills WHERE waits AND id > ?1 {place} ORDER BY id LIMIT ?2");
    let rows = tx.rows(&sql, &values)?;
    rows.iter().map(|row| row.get(0).map_err(Error::from)).collect()
}

/// Puts a new bill down.
pub(crate) fn insert(tx: &mut Tx<'_>, bill: &Bill) -> Result<(), Error> {
    let usage = &bill.usage;
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    tx.execute(
        "INSERT INTO job_bills (id, cluster, number, array_index, attempt, submitted_at, user_id, user_name, \
            account_id, account_name, tenant_id, tenant_name, name, partition_name, qos, nodes, cpus, gpus, \
            memory_mb, limit_secs, partition_cores, partition_gpus, partition_memory_mb, decimals, min_charge, \
            hold, state, waits, node_list) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, \
            ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, 0, 'open', TRUE, '')",
        params![
            bill.id,
            &bill.key.cluster,
            bill.key.number,
            bill.key.array_index,
            bill.key.attempt,
            bill.key.submitted_at,
            bill.user,
            &bill.user_name,
            bill.account,
            &bill.account_name,
            bill.tenant,
            &bill.tenant_name,
            &bill.name,
            &bill.partition,
            &bill.qos,
            bill.nodes,
            number(usage.cpus),
            number(usage.gpus),
            number(usage.mem_req_mb),
            number(usage.elapsed_secs),
            number(usage.partition_cores),
            number(usage.partition_gpus),
            number(usage.partition_mem_mb),
            bill.decimals,
            bill.min_charge
        ],
    )?;
    write(tx, bill)
}

/// Writes how a bill stands, and announces it where it waits.
pub(crate) fn write(tx: &mut Tx<'_>, bill: &Bill) -> Result<(), Error> {
    let waits = bill.waits();
    tx.execute(
        "UPDATE job_bills SET account_item = ?2, tenant_item = ?3, hold = ?4, state = ?5, waits = ?6, \
            started_at = ?7, ended_at = ?8, node_list = ?9 WHERE id = ?1",
        params![
            bill.id,
            bill.account_item,
            bill.tenant_item,
            bill.hold,
            bill.state.word(),
            waits,
            bill.started_at,
            bill.ended_at,
            bill.node_list.replace('\0', "?")
        ],
    )?;
    if waits {
        tx.change(WAITING, &bill.id.to_string())?;
    }
    Ok(())
}

/// Writes that a bill was charged, as the next of all.
pub(crate) fn write_charged(
    tx: &mut Tx<'_>,
    bill: &Bill,
    number: i64,
    (account_price, tenant_price): (Money, Money),
    now: Timestamp,
) -> Result<(), Error> {
    let charged = Bill {
        state: State::Charged,
        ..bill.clone()
    };
    write(tx, &charged)?;
    tx.execute(
        "UPDATE job_bills SET bill = ?2, account_price = ?3, tenant_price = ?4, recorded_at = ?5 WHERE id = ?1",
        params![bill.id, number, account_price, tenant_price, now],
    )?;
    Ok(())
}
