//! The stored form of a service, and the statements that read and write it.
//!
//! What it leaves to others: decisions (modules `deploy`, `stop`, `place`, `reconcile`).

use confine::Account;
use model::{Name, NodeId, ServiceId, Timestamp, UserId};
use store::{Row, Tx, Value};

use crate::{
    Draft, Error, Service, State,
    node::Order,
    service::log_path,
    state::{Run, Standing, Wanted},
};

/// The topic under which changes of services are announced; the key is the service's id.
pub(crate) const TOPIC: &str = "services";

/// A service as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) id: ServiceId,
    pub(crate) name: Name,
    pub(crate) user: UserId,
    pub(crate) user_name: Name,
    pub(crate) account: Account,
    pub(crate) draft: Draft,
    /// Empty: any.
    pub(crate) wanted_node: String,
    pub(crate) standing: Standing,
    pub(crate) deployed_at: Timestamp,
}

/// The columns in the order in which [`Record::read`] takes them.
const COLUMNS: &str = "id, name, user_id, user_name, user_number, unix_name, user_owns_zone, draft, wanted_node, \
    wanted, generation, state, reason, node_id, node_name, run_id, run_generation, run_seen, port, starts, failures, \
    next_start_at, started_at, exit_code, deployed_at, stopped_at";

pub(crate) fn query(end: &str) -> String {
    format!("SELECT {COLUMNS} FROM services WHERE {end}")
}

impl Record {
    pub(crate) fn read(row: &Row) -> Result<Self, Error> {
        let draft: String = row.get(7)?;
        let draft: Draft =
            serde_json::from_str(&draft).map_err(|_form| Error::Row { what: "its manifest" })?;
        let user_name: Name = row.get(3)?;
        let wanted_node: Option<String> = row.get(8)?;
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            user: row.get(2)?,
            account: Account {
                name: user_name.to_string(),
                number: row.get(4)?,
                unix_name: row.get(5)?,
                owner: row.get(6)?,
            },
            user_name,
            draft,
            wanted_node: wanted_node.unwrap_or_default(),
            standing: standing(row)?,
            deployed_at: row.get(24)?,
        })
    }

    /// The service as it is shown.
    pub(crate) fn shown(self) -> Service {
        let standing = self.standing;
        Service {
            id: self.id,
            log_path: log_path(self.name.as_str()),
            name: self.name,
            user: self.user,
            user_name: self.user_name,
            state: standing.state,
            reason: standing.reason,
            node: standing.node,
            node_name: standing.node_name,
            wanted_node: self.wanted_node,
            port: standing.port,
            generation: standing.generation,
            starts: standing.starts,
            started_at: standing.started_at,
            next_start_at: standing.next_start_at,
            exit_code: standing.exit_code,
            deployed_at: self.deployed_at,
            stopped_at: standing.stopped_at,
        }
    }

    /// What a node must know to start a run.
    pub(crate) fn order(&self, run: model::RunId, default_memory_bytes: u64) -> Order {
        let draft = &self.draft;
        Order {
            run,
            service: self.id,
            name: self.name.to_string(),
            account: self.account.clone(),
            work: draft.work.clone(),
            port: draft.port,
            environment: draft.environment.clone(),
            working_directory: draft.working_directory.clone(),
            log_path: log_path(self.name.as_str()),
            health_path: draft.health_path.clone(),
            memory_bytes: draft.memory_bytes.unwrap_or(default_memory_bytes),
        }
    }
}

fn standing(row: &Row) -> Result<Standing, Error> {
    let wanted: String = row.get(9)?;
    let state: String = row.get(11)?;
    let run_id: Option<model::RunId> = row.get(15)?;
    let (generation, seen) = (row.get(16)?, row.get(17)?);
    let port: Option<u32> = row.get(18)?;
    Ok(Standing {
        wanted: match wanted.as_str() {
            "run" => Wanted::Run,
            "stop" => Wanted::Stop,
            _ => {
                return Err(Error::Row {
                    what: "what is wanted",
                });
            }
        },
        generation: row.get(10)?,
        state: State::from_word(&state).ok_or(Error::Row { what: "its state" })?,
        reason: row.get(12)?,
        node: row.get(13)?,
        node_name: row.get(14)?,
        run: run_id.map(|id| Run { id, generation, seen }),
        port: port.and_then(|port| u16::try_from(port).ok()),
        starts: row.get(19)?,
        failures: row.get(20)?,
        next_start_at: row.get(21)?,
        started_at: row.get(22)?,
        exit_code: row.get(23)?,
        stopped_at: row.get(25)?,
    })
}

fn one(tx: &mut Tx<'_>, end: &str, params: &[Value]) -> Result<Option<Record>, Error> {
    let row = tx.row(&query(end), params)?;
    row.as_ref().map(Record::read).transpose()
}

fn all(tx: &mut Tx<'_>, end: &str, params: &[Value]) -> Result<Vec<Record>, Error> {
    let rows = tx.rows(&query(end), params)?;
    rows.iter().map(Record::read).collect()
}

/// The service with this id.
pub(crate) fn by_id(tx: &mut Tx<'_>, id: ServiceId) -> Result<Option<Record>, Error> {
    one(tx, "id = ?1", &[Value::from(id)])
}

/// A user's service of this name: the one that is not stopped, else the one that was stopped last.
pub(crate) fn by_name(tx: &mut Tx<'_>, user: UserId, name: &Name) -> Result<Option<Record>, Error> {
    let end = "user_id = ?1 AND name = ?2 ORDER BY CASE WHEN state = 'stopped' THEN 1 ELSE 0 END, \
        stopped_at DESC, id DESC LIMIT 1";
    one(tx, end, &[Value::from(user), Value::from(name)])
}

/// A user's service that was deployed last and is not stopped.
pub(crate) fn latest(tx: &mut Tx<'_>, user: UserId) -> Result<Option<Record>, Error> {
    let end = "user_id = ?1 AND state <> 'stopped' ORDER BY deployed_at DESC, id DESC LIMIT 1";
    one(tx, end, &[Value::from(user)])
}

/// All services of a node that are not stopped.
pub(crate) fn on_node(tx: &mut Tx<'_>, node: NodeId) -> Result<Vec<Record>, Error> {
    all(
        tx,
        "node_id = ?1 AND state <> 'stopped' ORDER BY id",
        &[Value::from(node)],
    )
}

/// All services that are not stopped.
pub(crate) fn unfinished(tx: &mut Tx<'_>) -> Result<Vec<Record>, Error> {
    all(tx, "state <> 'stopped' ORDER BY id", &[])
}

/// How many services of a user are not stopped.
pub(crate) fn unfinished_of(tx: &mut Tx<'_>, user: UserId) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) FROM services WHERE user_id = ?1 AND state <> 'stopped'";
    let row = tx.row(sql, &[Value::from(user)])?;
    Ok(row.ok_or(Error::Row { what: "a count" })?.get(0)?)
}

/// Whether another service that is not stopped has a port of its own choice on a node, or may get there.
pub(crate) fn port_is_taken(
    tx: &mut Tx<'_>,
    port: u16,
    wanted_node: &str,
    but: Option<ServiceId>,
) -> Result<bool, Error> {
    let sql = "SELECT id FROM services WHERE fixed_port = ?1 AND state <> 'stopped' \
        AND (?2 = '' OR wanted_node IS NULL OR wanted_node = ?2)";
    for row in tx.rows(sql, &[Value::from(u32::from(port)), Value::from(wanted_node)])? {
        let id: ServiceId = row.get(0)?;
        if Some(id) != but {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Puts a new service down.
pub(crate) fn insert(tx: &mut Tx<'_>, record: &Record) -> Result<(), Error> {
    let account = &record.account;
    tx.execute(
        "INSERT INTO services (id, name, user_id, user_name, user_number, unix_name, user_owns_zone, draft, \
            wanted, generation, state, reason, node_name, run_generation, run_seen, starts, failures, deployed_at) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, '', 'run', 1, 'pending', '', '', 0, FALSE, 0, 0, ?8)",
        &[
            Value::from(record.id),
            Value::from(&record.name),
            Value::from(record.user),
            Value::from(&record.user_name),
            Value::from(account.number),
            Value::from(account.unix_name.clone()),
            Value::from(account.owner),
            Value::from(record.deployed_at),
        ],
    )?;
    write_draft(tx, record)?;
    write(tx, record.id, &record.standing)
}

/// Writes what is deployed, and that it was deployed just now.
pub(crate) fn write_draft(tx: &mut Tx<'_>, record: &Record) -> Result<(), Error> {
    let draft = serde_json::to_string(&record.draft).map_err(|_form| Error::Row { what: "its manifest" })?;
    let wanted_node = Some(record.wanted_node.as_str()).filter(|name| !name.is_empty());
    tx.execute(
        "UPDATE services SET draft = ?2, fixed_port = ?3, wanted_node = ?4, user_owns_zone = ?5, deployed_at = ?6 \
            WHERE id = ?1",
        &[
            Value::from(record.id),
            Value::from(draft),
            Value::from(record.draft.port.map(u32::from)),
            Value::from(wanted_node.map(str::to_owned)),
            Value::from(record.account.owner),
            Value::from(record.deployed_at),
        ],
    )?;
    Ok(())
}

/// Writes how a service stands, and announces it.
pub(crate) fn write(tx: &mut Tx<'_>, id: ServiceId, standing: &Standing) -> Result<(), Error> {
    let run = standing.run;
    tx.execute(
        "UPDATE services SET wanted = ?2, generation = ?3, state = ?4, reason = ?5, node_id = ?6, node_name = ?7, \
            run_id = ?8, run_generation = ?9, run_seen = ?10, port = ?11, starts = ?12, failures = ?13, \
            next_start_at = ?14, started_at = ?15, exit_code = ?16, stopped_at = ?17 WHERE id = ?1",
        &[
            Value::from(id),
            Value::from(match standing.wanted {
                Wanted::Run => "run",
                Wanted::Stop => "stop",
            }),
            Value::from(standing.generation),
            Value::from(standing.state.word()),
            Value::from(standing.reason.replace('\0', "?")),
            Value::from(standing.node),
            Value::from(standing.node_name.as_str()),
            Value::from(run.map(|run| run.id)),
            Value::from(run.map_or(0, |run| run.generation)),
            Value::from(run.is_some_and(|run| run.seen)),
            Value::from(standing.port.map(u32::from)),
            Value::from(standing.starts),
            Value::from(standing.failures),
            Value::from(standing.next_start_at),
            Value::from(standing.started_at),
            Value::from(standing.exit_code),
            Value::from(standing.stopped_at),
        ],
    )?;
    tx.change(TOPIC, &id.to_string())?;
    Ok(())
}

/// Lets something happen to a service as it stands now; gives it as it stands then, and announces it where it is new.
pub(crate) fn happen<T>(
    tx: &mut Tx<'_>,
    id: ServiceId,
    what: impl FnOnce(&Record, &mut Standing) -> T,
) -> Result<Option<(Record, T)>, Error> {
    if !tx.lock_row("services", "id", Value::from(id))? {
        return Ok(None);
    }
    let Some(mut record) = by_id(tx, id)? else {
        return Ok(None);
    };
    let mut next = record.standing.clone();
    let answer = what(&record, &mut next);
    if next != record.standing {
        write(tx, id, &next)?;
        record.standing = next;
    }
    Ok(Some((record, answer)))
}
