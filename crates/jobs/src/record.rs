//! The stored form of a job, and the statements that read and write it.
//!
//! What it leaves to others: decisions (modules `submit`, `cancel`, `reconcile`).

use confine::Account;
use model::{JobId, Name, Span, Timestamp, UserId};
use store::{Migration, Row, Tx, Value};

use crate::{
    Admission, Error, Job, State,
    draft::Draft,
    job::output_file,
    node::Order,
    state::{Event, Next, Standing},
    turn::Claim,
};

/// The topic under which changes of jobs are announced; the key is the job's id.
pub(crate) const TOPIC: &str = "jobs";

/// The tables of this slice.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        room: "jobs",
        number: 1,
        sql: FIRST,
    },
    Migration {
        room: "jobs",
        number: 2,
        sql: "ALTER TABLE jobs ADD COLUMN wanted_node TEXT NOT NULL DEFAULT '';",
    },
    Migration {
        room: "jobs",
        number: 3,
        sql: "ALTER TABLE jobs ADD COLUMN payer TEXT; ALTER TABLE jobs ADD COLUMN hold BIGINT;",
    },
];

const FIRST: &str = "
        CREATE TABLE jobs_numbers (
            cluster TEXT PRIMARY KEY,
            newest BIGINT NOT NULL
        );
        CREATE TABLE jobs (
            id TEXT PRIMARY KEY,
            cluster TEXT NOT NULL,
            number BIGINT NOT NULL,
            name TEXT NOT NULL,
            user_id TEXT NOT NULL,
            user_name TEXT NOT NULL,
            user_number BIGINT NOT NULL,
            unix_name TEXT,
            user_owns_zone BOOLEAN NOT NULL,
            request_id TEXT,
            draft TEXT NOT NULL,
            cores BIGINT NOT NULL,
            memory_bytes BIGINT NOT NULL,
            state TEXT NOT NULL,
            placed BOOLEAN NOT NULL,
            cancel_wanted BOOLEAN NOT NULL,
            reason TEXT NOT NULL,
            node_name TEXT NOT NULL,
            submitted_at BIGINT NOT NULL,
            started_at BIGINT,
            ended_at BIGINT,
            exit_code BIGINT,
            cpu_micros BIGINT NOT NULL,
            peak_memory_bytes BIGINT NOT NULL,
            UNIQUE (cluster, number)
        );
        CREATE UNIQUE INDEX jobs_by_request ON jobs (user_id, request_id);
        CREATE INDEX jobs_by_user ON jobs (user_id, number);
        CREATE INDEX jobs_by_submission ON jobs (user_id, submitted_at);
        CREATE INDEX jobs_unfinished ON jobs (cluster, number) WHERE state IN ('pending', 'running');
    ";

/// A job as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) job: Job,
    pub(crate) standing: Standing,
    pub(crate) account: Account,
    pub(crate) draft: Draft,
}

/// The columns in the order in which [`Record::read`] takes them.
pub(crate) const COLUMNS: &str = "id, cluster, number, name, user_id, user_name, user_number, unix_name, \
    user_owns_zone, draft, state, placed, cancel_wanted, reason, node_name, submitted_at, started_at, \
    ended_at, exit_code, cpu_micros, peak_memory_bytes, payer, hold";

impl Record {
    pub(crate) fn read(row: &Row) -> Result<Self, Error> {
        let draft: String = row.get(9)?;
        let draft: Draft = serde_json::from_str(&draft).map_err(|_form| Error::Row { what: "its draft" })?;
        let state: String = row.get(10)?;
        let state = State::from_word(&state).ok_or(Error::Row { what: "its state" })?;
        let user_name: Name = row.get(5)?;
        let number: u32 = row.get(2)?;
        let payer: Option<String> = row.get(21)?;
        let job = Job {
            id: row.get(0)?,
            cluster: row.get(1)?,
            number,
            name: row.get(3)?,
            user: row.get(4)?,
            user_name: user_name.clone(),
            state,
            reason: row.get(13)?,
            submitted_at: row.get(15)?,
            started_at: row.get(16)?,
            ended_at: row.get(17)?,
            exit_code: row.get(18)?,
            cpu: row.get(19)?,
            peak_memory_bytes: row.get(20)?,
            cores: draft.cores.unwrap_or(1),
            memory_bytes: draft.memory_bytes.unwrap_or(0),
            time_limit: draft.time_limit.unwrap_or(Span::ZERO),
            working_directory: draft.working_directory.clone(),
            stdout_path: output_file(&draft.stdout_path, number, "out"),
            stderr_path: output_file(&draft.stderr_path, number, "err"),
            node_name: row.get(14)?,
            account: payer.unwrap_or_else(|| draft.account.clone()),
            hold: row.get(22)?,
            partition: draft.partition.clone(),
            qos: draft.qos.clone(),
            comment: draft.comment.clone(),
        };
        let account = Account {
            name: user_name.to_string(),
            number: row.get(6)?,
            unix_name: row.get(7)?,
            owner: row.get(8)?,
        };
        let standing = Standing {
            state,
            placed: row.get(11)?,
            cancel_wanted: row.get(12)?,
        };
        Ok(Self {
            job,
            standing,
            account,
            draft,
        })
    }

    /// What a node must know to start the job.
    pub(crate) fn order(&self) -> Order {
        let job = &self.job;
        Order {
            id: job.id,
            number: job.number,
            name: job.name.clone(),
            account: self.account.clone(),
            work: self.draft.work.clone(),
            cores: job.cores,
            memory_bytes: job.memory_bytes,
            time_limit: job.time_limit,
            working_directory: job.working_directory.clone(),
            stdout_path: job.stdout_path.clone(),
            stderr_path: job.stderr_path.clone(),
        }
    }
}

/// The job with this number.
pub(crate) fn by_number(tx: &mut Tx<'_>, cluster: &str, number: u32) -> Result<Option<Record>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE cluster = ?1 AND number = ?2");
    let row = tx.row(&sql, &[Value::from(cluster), Value::from(number)])?;
    row.as_ref().map(Record::read).transpose()
}

/// The job with this id.
pub(crate) fn by_id(tx: &mut Tx<'_>, id: JobId) -> Result<Option<Record>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1");
    let row = tx.row(&sql, &[Value::from(id)])?;
    row.as_ref().map(Record::read).transpose()
}

/// The job that a user submitted under this request id.
pub(crate) fn by_request(tx: &mut Tx<'_>, user: UserId, request_id: &str) -> Result<Option<Record>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE user_id = ?1 AND request_id = ?2");
    let row = tx.row(&sql, &[Value::from(user), Value::from(request_id)])?;
    row.as_ref().map(Record::read).transpose()
}

/// All jobs of a cluster that this node was told of and that have not ended, the oldest first.
pub(crate) fn placed_on(tx: &mut Tx<'_>, cluster: &str, node_name: &str) -> Result<Vec<Record>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM jobs WHERE cluster = ?1 AND state IN ('pending', 'running') AND placed = TRUE \
            AND node_name = ?2 ORDER BY number"
    );
    let rows = tx.rows(&sql, &[Value::from(cluster), Value::from(node_name)])?;
    rows.iter().map(Record::read).collect()
}

/// A job that a node was told of and that has not ended.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) id: JobId,
    pub(crate) claim: Claim,
    pub(crate) node_name: String,
}

/// What all jobs take that nodes were told of and that have not ended.
pub(crate) fn placed(tx: &mut Tx<'_>, cluster: &str) -> Result<Vec<Placed>, Error> {
    let sql = "SELECT id, user_id, cores, memory_bytes, node_name FROM jobs \
        WHERE cluster = ?1 AND state IN ('pending', 'running') AND placed = TRUE ORDER BY number";
    let rows = tx.rows(sql, &[Value::from(cluster)])?;
    let placed = |row: &Row| {
        Ok(Placed {
            id: row.get(0)?,
            claim: claim(row)?,
            node_name: row.get(4)?,
        })
    };
    rows.iter().map(placed).collect()
}

/// A job that waits for its turn.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) id: JobId,
    pub(crate) claim: Claim,
    /// As in [`Draft::node`].
    pub(crate) wanted: String,
    /// Why it waits, as it is shown now.
    pub(crate) reason: String,
}

/// All waiting jobs of a cluster, the oldest first. Their drafts stay where they are.
pub(crate) fn waiting(tx: &mut Tx<'_>, cluster: &str) -> Result<Vec<Waiting>, Error> {
    let sql = "SELECT id, user_id, cores, memory_bytes, wanted_node, reason FROM jobs \
        WHERE cluster = ?1 AND state IN ('pending', 'running') AND placed = FALSE ORDER BY number";
    let rows = tx.rows(sql, &[Value::from(cluster)])?;
    let waiting = |row: &Row| {
        Ok(Waiting {
            id: row.get(0)?,
            claim: claim(row)?,
            wanted: row.get(4)?,
            reason: row.get(5)?,
        })
    };
    rows.iter().map(waiting).collect()
}

/// The second to fourth column.
fn claim(row: &Row) -> Result<Claim, Error> {
    Ok(Claim {
        user: row.get(1)?,
        cores: row.get(2)?,
        memory_bytes: row.get(3)?,
    })
}

/// The next number of a cluster.
pub(crate) fn next_number(tx: &mut Tx<'_>, cluster: &str) -> Result<u32, Error> {
    let sql = "INSERT INTO jobs_numbers (cluster, newest) VALUES (?1, 1) \
        ON CONFLICT (cluster) DO UPDATE SET newest = jobs_numbers.newest + 1 RETURNING newest";
    let row = tx.row(sql, &[Value::from(cluster)])?;
    let number: i64 = row.ok_or(Error::Row { what: "its number" })?.get(0)?;
    u32::try_from(number).map_err(|_range| Error::Numbers)
}

/// Lets an event happen to a job, if it still changes anything; says whether it did. The one place where a job ends,
/// so the one where it is settled: under the lock on its row, and only by the event that ends it.
pub(crate) fn happen(
    tx: &mut Tx<'_>,
    admission: &dyn Admission,
    id: JobId,
    event: Event<'_>,
    node_name: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    if !tx.lock_row("jobs", "id", Value::from(id))? {
        return Ok(false);
    }
    let Some(record) = by_id(tx, id)? else {
        return Ok(false);
    };
    let Some(next) = record.standing.after(event) else {
        return Ok(false);
    };
    write(tx, &record, &next, event, node_name, now)?;
    if next.standing.state.has_ended() {
        let ended = by_id(tx, id)?.ok_or(Error::Row { what: "an ended job" })?;
        admission.settle(tx, &ended.job)?;
    }
    tx.change(TOPIC, &id.to_string())?;
    Ok(true)
}

fn write(
    tx: &mut Tx<'_>,
    record: &Record,
    next: &Next,
    event: Event<'_>,
    node_name: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let job = &record.job;
    let exit = match event {
        Event::Ended(exit) => Some(exit),
        Event::Cancel | Event::Place | Event::Started(_) | Event::Lost | Event::Gone => None,
    };
    let started_at = match event {
        Event::Started(at) => Some(at),
        Event::Ended(exit) if exit.code.is_some() => Some(exit.started_at),
        Event::Cancel | Event::Place | Event::Ended(_) | Event::Lost | Event::Gone => job.started_at,
    };
    let ended_at = exit.map(|exit| exit.ended_at).unwrap_or(now);
    let ended_at = next.standing.state.has_ended().then_some(ended_at);
    let node_name = if matches!(event, Event::Place) {
        node_name
    } else {
        &job.node_name
    };
    let peak = exit.map_or(0, |exit| exit.peak_memory_bytes);
    tx.execute(
        "UPDATE jobs SET state = ?2, placed = ?3, cancel_wanted = ?4, reason = ?5, node_name = ?6, \
            started_at = ?7, ended_at = ?8, exit_code = ?9, cpu_micros = ?10, peak_memory_bytes = ?11 \
            WHERE id = ?1",
        &[
            Value::from(job.id),
            Value::from(next.standing.state.word()),
            Value::from(next.standing.placed),
            Value::from(next.standing.cancel_wanted),
            Value::from(next.reason.replace('\0', "?")),
            Value::from(node_name),
            Value::from(started_at),
            Value::from(ended_at),
            Value::from(exit.and_then(|exit| exit.code)),
            Value::from(exit.map_or(Span::ZERO, |exit| exit.cpu)),
            Value::from(i64::try_from(peak).unwrap_or(i64::MAX)),
        ],
    )?;
    Ok(())
}

/// Says why a job waits, where that is new.
pub(crate) fn explain(tx: &mut Tx<'_>, id: JobId, reason: &str) -> Result<(), Error> {
    let changed = tx.execute(
        "UPDATE jobs SET reason = ?2 WHERE id = ?1 AND reason <> ?2 AND state = 'pending' AND placed = FALSE",
        &[Value::from(id), Value::from(reason)],
    )?;
    if changed > 0 {
        tx.change(TOPIC, &id.to_string())?;
    }
    Ok(())
}
