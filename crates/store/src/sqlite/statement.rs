//! Statements on SQLite, and what its faults mean.
//!
//! What it leaves to others: transactions (the writer and the readers).

use rusqlite::{
    CachedStatement, Connection, ErrorCode,
    types::{ToSql, ToSqlOutput, ValueRef},
};

use crate::{Error, Fault, Row, Value, tx::checked};

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
            Value::Bool(value) => ValueRef::Integer(i64::from(*value)),
        }))
    }
}

/// Runs a statement and counts the rows it wrote.
pub(crate) fn execute(connection: &Connection, sql: &str, params: &[Value]) -> Result<u64, Error> {
    let mut statement = prepare(connection, sql)?;
    let done = statement.execute(rusqlite::params_from_iter(params));
    let count = done.map_err(|error| self::error("run a statement", &error))?;
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}

/// Runs a statement and reads its whole answer.
pub(crate) fn rows(connection: &Connection, sql: &str, params: &[Value]) -> Result<Vec<Row>, Error> {
    let mut statement = prepare(connection, sql)?;
    let columns = statement.column_count();
    let read = |error: &rusqlite::Error| self::error("read rows", error);
    let mut answer = statement
        .query(rusqlite::params_from_iter(params))
        .map_err(|error| read(&error))?;
    let mut rows = Vec::new();
    while let Some(row) = answer.next().map_err(|error| read(&error))? {
        let values = (0..columns).map(|column| {
            let value = row.get_ref(column).map_err(|error| read(&error))?;
            taken(column, value)
        });
        rows.push(Row::new(values.collect::<Result<_, Error>>()?));
    }
    Ok(rows)
}

/// Records a change and gives its revision.
pub(crate) fn change(connection: &Connection, params: &[Value]) -> Result<i64, Error> {
    execute(
        connection,
        "INSERT INTO changes (topic, key) VALUES (?1, ?2)",
        params,
    )?;
    Ok(connection.last_insert_rowid())
}

fn prepare<'a>(connection: &'a Connection, sql: &str) -> Result<CachedStatement<'a>, Error> {
    checked(sql)?;
    let prepared = connection.prepare_cached(sql);
    prepared.map_err(|error| self::error("prepare a statement", &error))
}

fn taken(column: usize, value: ValueRef<'_>) -> Result<Value, Error> {
    let found = match value {
        ValueRef::Null => return Ok(Value::Null),
        ValueRef::Integer(value) => return Ok(Value::Int(value)),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => return Ok(Value::Text(text.to_owned())),
            Err(_not_text) => "bytes that are no UTF-8 text",
        },
        ValueRef::Real(_) => "a floating-point number",
        ValueRef::Blob(_) => "a blob",
    };
    Err(Error::Column {
        column,
        wanted: "an integer, a text or a boolean",
        found: found.to_owned(),
    })
}

/// Sorts a fault of SQLite into the store's cases.
pub(crate) fn error(step: &'static str, error: &rusqlite::Error) -> Error {
    let source = fault(error);
    let rusqlite::Error::SqliteFailure(code, _) = error else {
        return Error::Statement { source };
    };
    match code.extended_code {
        rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
        | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        | rusqlite::ffi::SQLITE_CONSTRAINT_ROWID => return Error::Unique { source },
        _ => {}
    }
    if code.code == ErrorCode::ConstraintViolation {
        return Error::Rule { source };
    }
    let storage = [
        ErrorCode::DiskFull,
        ErrorCode::SystemIoFailure,
        ErrorCode::DatabaseBusy,
        ErrorCode::DatabaseLocked,
        ErrorCode::OutOfMemory,
        ErrorCode::CannotOpen,
        ErrorCode::FileLockingProtocolFailed,
        ErrorCode::DatabaseCorrupt,
        ErrorCode::NotADatabase,
    ];
    if storage.contains(&code.code) {
        return Error::Storage { step, source };
    }
    if code.code == ErrorCode::ReadOnly && code.extended_code == rusqlite::ffi::SQLITE_READONLY {
        return Error::ReadOnly;
    }
    Error::Statement { source }
}

/// What SQLite said, without the values that were written: its messages name tables and columns only.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library may add cases; all are told the same way"
)]
pub(crate) fn fault(error: &rusqlite::Error) -> Fault {
    match error {
        rusqlite::Error::SqliteFailure(code, Some(text)) => Fault::new(code.extended_code.to_string(), text),
        rusqlite::Error::SqliteFailure(code, None) => {
            Fault::new(code.extended_code.to_string(), code.to_string())
        }
        rusqlite::Error::SqlInputError { error, msg, .. } => Fault::new(error.extended_code.to_string(), msg),
        other => Fault::new("rusqlite", other.to_string()),
    }
}
