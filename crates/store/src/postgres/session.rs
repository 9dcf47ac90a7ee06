//! One connection: statements on PostgreSQL, and what its faults mean.
//!
//! What it leaves to others: transactions and when to connect again (the workers).

use std::{collections::BTreeMap, error::Error as _, fmt};

use bytes::BytesMut;
use postgres::{
    Client, NoTls, Statement,
    types::{FromSql, IsNull, ToSql, Type, to_sql_checked},
};

use super::CHANNEL;
use crate::{Error, Fault, Row, Value, placeholders, tx::checked};

/// How many texts of statements a connection keeps prepared; past this it forgets them all and starts over.
const STATEMENTS: usize = 256;
/// The advisory lock under which revisions are given: from the first change to the end of the transaction, so
/// that they become visible in their order.
const REVISIONS_LOCK: i64 = 0x736f_6b65_0001;

/// A connection with its prepared statements.
pub(crate) struct Session {
    client: Client,
    prepared: BTreeMap<String, BTreeMap<Vec<u8>, Statement>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    /// Connects and sets what the store relies on.
    pub(super) fn connect(config: &postgres::Config) -> Result<Self, Error> {
        let client = config.connect(NoTls).map_err(|error| Error::Unreachable {
            source: fault(&error),
        })?;
        let mut session = Self {
            client,
            prepared: BTreeMap::new(),
        };
        // A server that answers before its log is on the disk would break the first promise of the store.
        session.batch(
            "SET lock_timeout = '10s'; SET statement_timeout = '30s';
             SET idle_in_transaction_session_timeout = '60s'; SET standard_conforming_strings = on;
             SELECT set_config('synchronous_commit', 'on', false)
             WHERE current_setting('synchronous_commit') = 'off';",
        )?;
        Ok(session)
    }

    /// Runs statements without parameters.
    pub(super) fn batch(&mut self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).map_err(|error| sorted(&error))
    }

    /// Runs statements without parameters and keeps the engine's own words where they fail.
    pub(super) fn batch_raw(&mut self, sql: &str) -> Result<(), Fault> {
        self.client.batch_execute(sql).map_err(|error| fault(&error))
    }

    /// Tells whether the connection is known to be gone.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// The connection itself, for listening.
    pub(super) const fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Commits. The outer error is an ambiguous outcome or a conflict.
    pub(super) fn commit(&mut self) -> Result<(), Error> {
        let committed = self.client.batch_execute("COMMIT");
        committed.map_err(|error| {
            let sorted = sorted(&error);
            // In these cases the server said that it did not commit, and why.
            if matches!(
                sorted,
                Error::Conflict { .. } | Error::Unique { .. } | Error::Rule { .. }
            ) {
                return sorted;
            }
            Error::Commit {
                source: fault(&error),
            }
        })
    }

    /// Runs a statement and counts the rows it wrote.
    pub(crate) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, Error> {
        let statement = self.prepare(sql, params)?;
        let done = self.client.execute(&statement, &borrowed(params));
        done.map_err(|error| self.failed(sql, &error))
    }

    /// Runs a statement and reads its whole answer.
    pub(crate) fn rows(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, Error> {
        let statement = self.prepare(sql, params)?;
        if let Some((column, found)) = unreadable(&statement) {
            return Err(Error::Column {
                column,
                wanted: "BIGINT, TEXT or BOOLEAN",
                found,
            });
        }
        let answer = self.client.query(&statement, &borrowed(params));
        let answer = answer.map_err(|error| self.failed(sql, &error))?;
        let row = |row: &postgres::Row| {
            let values = (0..row.len()).map(|column| row.try_get::<_, Option<Value>>(column));
            let values = values.map(|value| value.map(|value| value.unwrap_or(Value::Null)));
            values.collect::<Result<_, _>>().map(Row::new)
        };
        let rows = answer.iter().map(row).collect::<Result<_, _>>();
        rows.map_err(|error| sorted(&error))
    }

    /// Records a change and gives its revision; `first` says that the transaction has recorded none before.
    pub(crate) fn change(&mut self, first: bool, params: &[Value]) -> Result<i64, Error> {
        if first {
            self.batch(&format!(
                "SELECT pg_advisory_xact_lock({REVISIONS_LOCK}), pg_notify('{CHANNEL}', '')"
            ))?;
        }
        let sql =
            "INSERT INTO changes (rev, topic, key) VALUES (nextval('changes_rev'), ?1, ?2) RETURNING rev";
        let rows = self.rows(sql, params)?;
        rows.first().map_or(Err(Error::ManyRows), |row| row.get(0))
    }

    fn prepare(&mut self, sql: &str, params: &[Value]) -> Result<Statement, Error> {
        let shape: Vec<u8> = params.iter().map(shape).collect();
        if let Some(known) = self.prepared.get(sql).and_then(|shapes| shapes.get(&shape)) {
            return Ok(known.clone());
        }
        checked(sql)?;
        let types: Vec<Type> = params.iter().map(wanted).collect();
        let statement = self
            .client
            .prepare_typed(&placeholders::numbered_for_postgres(sql), &types)
            .map_err(|error| sorted(&error))?;
        if statement.params().len() != params.len() {
            let text = format!(
                "{} parameters wanted, {} given",
                statement.params().len(),
                params.len()
            );
            return Err(Error::Statement {
                source: Fault::new("", text),
            });
        }
        if self.prepared.len() >= STATEMENTS {
            self.prepared.clear();
        }
        let shapes = self.prepared.entry(sql.to_owned()).or_default();
        shapes.insert(shape, statement.clone());
        Ok(statement)
    }

    /// Sorts the fault; a plan that no longer fits the schema is not kept.
    fn failed(&mut self, sql: &str, error: &postgres::Error) -> Error {
        let sorted = sorted(error);
        if matches!(sorted, Error::Statement { .. }) {
            self.prepared.remove(sql);
        }
        sorted
    }
}

const fn shape(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Int(_) => 1,
        Value::Text(_) => 2,
        Value::Bool(_) => 3,
    }
}

/// The type under which a parameter is sent; the server works out the type of a NULL.
const fn wanted(value: &Value) -> Type {
    match value {
        Value::Null => Type::UNKNOWN,
        Value::Int(_) => Type::INT8,
        Value::Text(_) => Type::TEXT,
        Value::Bool(_) => Type::BOOL,
    }
}

fn borrowed(params: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn unreadable(statement: &Statement) -> Option<(usize, String)> {
    let columns = statement.columns().iter().enumerate();
    columns
        .filter(|(_, column)| !<Value as FromSql<'_>>::accepts(column.type_()))
        .map(|(at, column)| (at, column.type_().name().to_owned()))
        .next()
}

type AnyError = Box<dyn std::error::Error + Sync + Send>;

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, AnyError> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(value) => value.to_sql_checked(kind, out),
            Value::Text(value) => value.to_sql_checked(kind, out),
            Value::Bool(value) => value.to_sql_checked(kind, out),
        }
    }

    fn accepts(_kind: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, AnyError> {
        if *kind == Type::INT8 {
            i64::from_sql(kind, raw).map(Value::Int)
        } else if *kind == Type::INT4 {
            i32::from_sql(kind, raw).map(|value| Value::Int(value.into()))
        } else if *kind == Type::INT2 {
            i16::from_sql(kind, raw).map(|value| Value::Int(value.into()))
        } else if *kind == Type::BOOL {
            bool::from_sql(kind, raw).map(Value::Bool)
        } else {
            String::from_sql(kind, raw).map(Value::Text)
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::INT4, Type::INT2, Type::BOOL].contains(kind)
            || <String as FromSql<'_>>::accepts(kind)
    }
}

/// Sorts a fault of PostgreSQL into the store's cases (its manual, appendix A, "Error Codes").
pub(super) fn sorted(error: &postgres::Error) -> Error {
    let source = fault(error);
    let Some(said) = error.as_db_error() else {
        // Everything else that the library does not hear from the server means that the connection is of no
        // more use, except for a parameter that does not fit.
        return if error.to_string().starts_with("error serializing parameter") {
            Error::Statement { source }
        } else {
            Error::Unreachable { source }
        };
    };
    let code = said.code().code();
    match (code.get(..2).unwrap_or_default(), code) {
        (_, "40001" | "40P01" | "55P03") => Error::Conflict { tries: 0 },
        (_, "23505") => Error::Unique { source },
        (_, "25006") => Error::ReadOnly,
        (_, "57014") => Error::Storage {
            step: "run a statement: it takes too long",
            source,
        },
        ("23", _) => Error::Rule { source },
        ("08" | "57" | "28" | "3D", _) | (_, "53300" | "25P03") => Error::Unreachable { source },
        ("53" | "58" | "XX", _) => Error::Storage {
            step: "run a statement",
            source,
        },
        _ => Error::Statement { source },
    }
}

/// What PostgreSQL said: code and message, without the detail, which may hold the row.
pub(super) fn fault(error: &postgres::Error) -> Fault {
    if let Some(said) = error.as_db_error() {
        let code = said.code().code();
        return match code.get(..2) {
            // These messages hold the value.
            Some("22") => Fault::new(code, "a value does not fit"),
            Some("28") => Fault::new(code, "the server refuses the user or the password"),
            _ => Fault::new(code, said.message()),
        };
    }
    let cause = error
        .source()
        .and_then(|cause| cause.downcast_ref::<std::io::Error>());
    let text = cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
    Fault::new("connection", text)
}
