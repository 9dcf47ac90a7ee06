//! Numbers of records: from 1 for each kind, without gaps, never given twice.
//!
//! What it leaves to others: what is numbered.

use store::{Tx, params};

use crate::Error;

/// The next number of this kind.
pub(crate) fn next(tx: &mut Tx<'_>, kind: &'static str) -> Result<i64, Error> {
    let row = tx.row(
        "INSERT INTO accounts_numbers (kind, newest) VALUES (?1, 1) \
         ON CONFLICT (kind) DO UPDATE SET newest = accounts_numbers.newest + 1 RETURNING newest",
        params![kind],
    )?;
    Ok(row.ok_or(Error::Row { what: "number" })?.get(0)?)
}
