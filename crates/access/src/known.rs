//! Users as other rooms look them up in their own transactions: by name or id, without a secret.
//!
//! What it leaves to others: whether the caller may know them (the room that asks).

use model::{Name, Timestamp, UserId};
use store::{Row, Tx, params};

use crate::{Error, Role, grants};

/// A user of the zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The user.
    pub id: UserId,
    /// The name, never given to anybody else.
    pub name: Name,
    /// The number in the zone, from 1.
    pub number: u32,
    /// When the user was made.
    pub made_at: Timestamp,
    /// The roles over the whole zone, lowest first.
    pub roles: Vec<Role>,
}

/// The user of this name, in whatever case.
///
/// # Errors
/// The store's own.
pub fn by_name(tx: &mut Tx<'_>, name: &str) -> Result<Option<Known>, Error> {
    // What cannot be a name names nobody.
    let Ok(name) = Name::imported(name) else {
        return Ok(None);
    };
    let sql = "SELECT id, name, number, made_at FROM users WHERE folded = ?1";
    let row = tx.row(sql, params![name.folded()])?;
    row.map(|row| known(tx, &row)).transpose()
}

/// The user with this id.
///
/// # Errors
/// The store's own.
pub fn by_id(tx: &mut Tx<'_>, id: UserId) -> Result<Option<Known>, Error> {
    let sql = "SELECT id, name, number, made_at FROM users WHERE id = ?1";
    let row = tx.row(sql, params![id])?;
    row.map(|row| known(tx, &row)).transpose()
}

/// All users of the zone, by number.
///
/// # Errors
/// The store's own.
pub fn all(tx: &mut Tx<'_>) -> Result<Vec<Known>, Error> {
    let rows = tx.rows("SELECT id, name, number, made_at FROM users ORDER BY number", &[])?;
    rows.iter().map(|row| known(tx, row)).collect()
}

/// How many users the zone has.
///
/// # Errors
/// The store's own.
pub fn count(tx: &mut Tx<'_>) -> Result<u32, Error> {
    let row = tx.row("SELECT COUNT(*) FROM users", &[])?;
    Ok(row.ok_or(Error::Row { what: "count" })?.get(0)?)
}

fn known(tx: &mut Tx<'_>, row: &Row) -> Result<Known, Error> {
    let id = row.get(0)?;
    Ok(Known {
        id,
        name: row.get(1)?,
        number: row.get(2)?,
        made_at: row.get(3)?,
        roles: grants::of_user(tx, id)?,
    })
}
