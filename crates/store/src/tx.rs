//! A transaction as a closure sees it: the same few calls on both engines.
//!
//! What it leaves to others: beginning, committing and undoing (the engines).
//!
//! Invariant: after a statement has failed, every later one of the same transaction is refused and its writes
//! are not kept, because that is how PostgreSQL behaves; code that works on one engine works on the other.

use crate::{Error, Row, Value, call::Ran, placeholders, postgres, sqlite};

/// A transaction under way. Its closure may run more than once, so it has no side effects of its own.
#[derive(Debug)]
pub struct Tx<'a> {
    connection: Connection<'a>,
    writes: bool,
    broken: Option<Broken>,
    changes: Vec<(String, i64)>,
}

/// The engine's connection that a transaction runs on.
#[derive(Debug)]
pub(crate) enum Connection<'a> {
    Sqlite(&'a rusqlite::Connection),
    Postgres(&'a mut postgres::Session),
}

/// Why a transaction cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// A statement failed.
    Failed,
    /// Another transaction stood in the way: running again may help.
    Conflict,
    /// The connection is gone: running again on a new one may help.
    Lost,
}

impl<'a> Tx<'a> {
    pub(crate) const fn new(connection: Connection<'a>, writes: bool) -> Self {
        Self {
            connection,
            writes,
            broken: None,
            changes: Vec::new(),
        }
    }

    /// Takes the transaction apart after its closure ran: why it cannot be kept, and what it changed.
    pub(crate) fn end(self) -> (Option<Broken>, Vec<(String, i64)>) {
        (self.broken, self.changes)
    }
}

impl Tx<'_> {
    /// Runs a statement and tells how many rows it wrote.
    ///
    /// # Errors
    /// Exists: a unique value is there already. Precondition: a rule of the schema forbids it. Conflict and
    /// Unavailable: as the engine says. Internal: the statement is wrong, or this is a read.
    pub fn execute(&mut self, sql: &'static str, params: &[Value]) -> Result<u64, Error> {
        let done = self
            .ready(true, params)
            .and_then(|()| match &mut self.connection {
                Connection::Sqlite(connection) => sqlite::statement::execute(connection, sql, params),
                Connection::Postgres(session) => session.execute(sql, params),
            });
        self.note(done)
    }

    /// Runs a statement and gives all rows of its answer (SELECT, or a write with RETURNING).
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub fn rows(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, Error> {
        let done = self
            .ready(false, params)
            .and_then(|()| match &mut self.connection {
                Connection::Sqlite(connection) => sqlite::statement::rows(connection, sql, params),
                Connection::Postgres(session) => session.rows(sql, params),
            });
        self.note(done)
    }

    /// Runs a statement and gives its only row, or nothing where there is none.
    ///
    /// # Errors
    /// As [`Tx::execute`]; Internal where there is more than one row.
    pub fn row(&mut self, sql: &str, params: &[Value]) -> Result<Option<Row>, Error> {
        let mut rows = self.rows(sql, params)?;
        let row = rows.pop();
        if rows.is_empty() {
            Ok(row)
        } else {
            self.note(Err(Error::ManyRows))
        }
    }

    /// Keeps others from changing the row until this transaction ends; tells whether there is such a row.
    ///
    /// SQLite has one writer, so there it only looks. Names of the table and column come from the code.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub fn lock_row(
        &mut self,
        table: &'static str,
        key_column: &'static str,
        key: Value,
    ) -> Result<bool, Error> {
        let lock = match self.connection {
            Connection::Sqlite(_) => "",
            Connection::Postgres(_) => " FOR UPDATE",
        };
        let ready = self.ready(true, &[]);
        self.note(ready)?;
        let sql = format!("SELECT 1 FROM {table} WHERE {key_column} = ?1{lock}");
        Ok(self.row(&sql, &[key])?.is_some())
    }

    /// Records that the thing `key` of `topic` changed, and gives the revision of this change.
    ///
    /// Revisions grow in the order in which transactions become visible and are never used twice, so a reader
    /// who has seen one has seen every smaller one. On PostgreSQL the transactions that record changes take
    /// turns from here to their end: call this last.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub fn change(&mut self, topic: &str, key: &str) -> Result<i64, Error> {
        let params = [Value::from(topic), Value::from(key)];
        let first = self.changes.is_empty();
        let done = self
            .ready(true, &params)
            .and_then(|()| match &mut self.connection {
                Connection::Sqlite(connection) => sqlite::statement::change(connection, &params),
                Connection::Postgres(session) => session.change(first, &params),
            });
        let rev = self.note(done)?;
        self.changes.push((topic.to_owned(), rev));
        Ok(rev)
    }

    /// The newest revision that this transaction sees; 0 before the first change.
    ///
    /// What was read in the same transaction is as new as this revision: it is the key for caches. It is meant
    /// for reads; in a write on PostgreSQL it makes every other change a conflict.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub fn revision(&mut self) -> Result<i64, Error> {
        let row = self.row("SELECT COALESCE(MAX(rev), 0) FROM changes", &[])?;
        row.map_or(Ok(0), |row| row.get(0))
    }

    fn ready(&self, writes: bool, params: &[Value]) -> Result<(), Error> {
        if self.broken.is_some() {
            return Err(Error::Aborted);
        }
        if writes && !self.writes {
            return Err(Error::ReadOnly);
        }
        let nul = |value: &Value| matches!(value, Value::Text(text) if text.contains('\0'));
        if params.iter().any(nul) {
            return Err(Error::Nul);
        }
        Ok(())
    }

    fn note<T>(&mut self, done: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &done
            && self.broken.is_none()
        {
            self.broken = Some(if matches!(error, Error::Conflict { .. }) {
                Broken::Conflict
            } else if matches!(error, Error::Unreachable { .. }) {
                Broken::Lost
            } else {
                Broken::Failed
            });
        }
        done
    }
}

/// Says what becomes of a closure's writes: `Ok(true)` keeps them, `Ok(false)` undoes them and sends the
/// closure's own answer, an error undoes them and is the answer.
pub(crate) const fn verdict(ran: Ran, broken: Option<Broken>) -> Result<bool, Error> {
    match (ran, broken) {
        (Ran::Answered, None) => Ok(true),
        (Ran::Answered, Some(_)) => Err(Error::Hidden),
        (Ran::Refused, _) => Ok(false),
        (Ran::Panicked, _) => Err(Error::Panicked),
    }
}

/// Refuses placeholders without a number, which only one of the engines would understand.
pub(crate) fn checked(sql: &str) -> Result<(), Error> {
    if placeholders::all_numbered(sql) {
        Ok(())
    } else {
        Err(Error::Placeholder)
    }
}
