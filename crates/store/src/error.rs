//! What can go wrong with the store, and of which kind each fault is.
//!
//! What it leaves to others: the engines sort their own faults into these cases; callers add what they were
//! doing. No text here holds a connection URL, a parameter or a row.

use std::path::PathBuf;

use model::ErrorKind;

/// A fault of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A folder or file of the database cannot be made, opened or protected.
    #[error("{step} `{path}`")]
    File {
        /// What was tried, in the present tense.
        step: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Others may write into the folder of the database, so it cannot be trusted.
    #[error("use the folder `{path}`: others may write into it; take that right away with `chmod go-w`")]
    OpenFolder {
        /// The folder.
        path: PathBuf,
    },
    /// Another process, or another store of this process, has the database file open.
    #[error("open `{path}`: another process is using it; stop that process, or use another folder")]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The engine cannot be set up.
    #[error("{step}")]
    Open {
        /// What was tried, in the present tense.
        step: &'static str,
        /// Why it failed.
        source: Fault,
    },
    /// The address of the PostgreSQL server cannot be read. The address is a secret, so it is not shown.
    #[error("read the PostgreSQL address: want postgresql://USER:PASSWORD@HOST:PORT/DATABASE")]
    BadAddress,
    /// The PostgreSQL server or database is not fit for the store.
    #[error("use the PostgreSQL database: {what}; {cure}")]
    Unfit {
        /// What is wrong with it.
        what: String,
        /// What would be right.
        cure: &'static str,
    },
    /// The list of migrations contradicts itself or what the database has seen.
    #[error("migrate room `{room}`, number {number}: {what}")]
    Migration {
        /// The room whose migration it is.
        room: String,
        /// The number within the room.
        number: i64,
        /// What is wrong, and what to do.
        what: &'static str,
    },
    /// The statements of a migration fail. Nothing of any pending migration is kept.
    #[error("apply migration {number} of room `{room}`")]
    ApplyMigration {
        /// The room whose migration it is.
        room: String,
        /// The number within the room.
        number: i64,
        /// Why it failed.
        source: Fault,
    },
    /// The operating system refuses a thread.
    #[error("start a thread of the store")]
    Thread {
        /// Why it failed.
        source: std::io::Error,
    },
    /// The store was closed, or its threads have ended.
    #[error("reach the store: it is closed")]
    Closed,
    /// The database server is not reachable. Nothing was written.
    #[error("reach the database")]
    Unreachable {
        /// Why it failed.
        source: Fault,
    },
    /// The database cannot read or write its storage now (disk full, I/O error). Nothing was written.
    #[error("{step}")]
    Storage {
        /// What was tried, in the present tense.
        step: &'static str,
        /// Why it failed.
        source: Fault,
    },
    /// The commit failed or its outcome is not known: read again before repeating.
    #[error("commit the transaction")]
    Commit {
        /// Why it failed.
        source: Fault,
    },
    /// Other transactions stood in the way each time the closure was run.
    #[error("commit the transaction: others changed the same rows, {tries} times")]
    Conflict {
        /// How often the closure was run.
        tries: u32,
    },
    /// A row with the same unique value is there already.
    #[error("write a row that must be unique")]
    Unique {
        /// Which rule was broken.
        source: Fault,
    },
    /// A rule of the schema (not null, check, foreign key) forbids the row.
    #[error("write a row that a rule of the schema forbids")]
    Rule {
        /// Which rule was broken.
        source: Fault,
    },
    /// The statement is wrong for this schema, its parameters do not fit, or the engine cannot do it.
    #[error("run a statement")]
    Statement {
        /// Why it failed.
        source: Fault,
    },
    /// A placeholder is not `?` and a number.
    #[error("run a statement: placeholders are written ?1, ?2, ...")]
    Placeholder,
    /// A statement of this closure failed before, and its transaction with it.
    #[error("run a statement: an earlier statement of this transaction failed")]
    Aborted,
    /// The closure hid the failure of a statement and asked to keep its writes. Nothing was kept.
    #[error("commit the transaction: a statement in it failed and the closure went on")]
    Hidden,
    /// The closure of a read asked for a write.
    #[error("write inside a read")]
    ReadOnly,
    /// The closure panicked. Nothing of it was kept; other closures are not touched.
    #[error("run the transaction: its closure panicked")]
    Panicked,
    /// More than one row where at most one was asked for.
    #[error("read one row: there are more")]
    ManyRows,
    /// A column does not hold what was asked for.
    #[error("read column {column}: want {wanted}, found {found}")]
    Column {
        /// The column, counted from 0.
        column: usize,
        /// The type asked for.
        wanted: &'static str,
        /// The type or fault found; never the value.
        found: String,
    },
    /// A text holds the character NUL, which PostgreSQL cannot keep.
    #[error("write a text: it may not hold the character NUL")]
    Nul,
    /// The changes asked for are no longer kept: read the present state instead.
    #[error("list the changes after revision {asked}: they are kept only after {kept_after}")]
    Trimmed {
        /// The revision asked from.
        asked: i64,
        /// The oldest revision from which one may still ask.
        kept_after: i64,
    },
}

impl Error {
    /// Sorts the fault into one of the kinds that every door knows.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Unique { .. } => ErrorKind::Exists,
            Error::Conflict { .. } => ErrorKind::Conflict,
            Error::Nul => ErrorKind::Invalid,
            Error::Rule { .. }
            | Error::Trimmed { .. }
            | Error::InUse { .. }
            | Error::OpenFolder { .. }
            | Error::BadAddress
            | Error::Unfit { .. }
            | Error::Migration { .. } => ErrorKind::Precondition,
            Error::Closed | Error::Unreachable { .. } | Error::Storage { .. } | Error::Commit { .. } => {
                ErrorKind::Unavailable
            }
            Error::File { .. }
            | Error::Open { .. }
            | Error::ApplyMigration { .. }
            | Error::Thread { .. }
            | Error::Statement { .. }
            | Error::Placeholder
            | Error::Aborted
            | Error::Hidden
            | Error::ReadOnly
            | Error::Panicked
            | Error::ManyRows
            | Error::Column { .. } => ErrorKind::Internal,
        }
    }

    /// Tells whether a row with the same unique value is there already.
    #[must_use]
    pub const fn is_unique_violation(&self) -> bool {
        matches!(self, Error::Unique { .. })
    }
}

/// What an engine said, in its own words: code and message, without the values that were written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text} ({code})")]
pub struct Fault {
    code: String,
    text: String,
}

impl Fault {
    pub(crate) fn new(code: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            text: text.into(),
        }
    }

    /// The engine's code: an SQLSTATE of PostgreSQL, or an extended result code of SQLite.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }
}
