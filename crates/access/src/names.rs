//! The table of names: each is given once, to one thing, and never again.
//!
//! What it leaves to others: the shape of a name (`model::Name`).

use model::Name;
use store::{Tx, params};

use crate::Error;

/// Beginnings that no name may have: they speak for a privileged form of another name.
const RESERVED_BEGINNINGS: [&str; 2] = ["su_", "su-"];

/// Gives `name` to the thing of this kind and id.
///
/// # Errors
/// `Exists` when the name was ever given, or is reserved for a role or a part of the system.
pub(crate) fn claim(tx: &mut Tx<'_>, name: &Name, kind: &str, id: &str) -> Result<(), Error> {
    let folded = name.folded();
    if RESERVED_BEGINNINGS
        .iter()
        .any(|beginning| folded.starts_with(beginning))
    {
        return Err(Error::NameReserved {
            name: name.to_string(),
        });
    }
    let added = tx.execute(
        "INSERT INTO names (folded, kind, id) VALUES (?1, ?2, ?3) ON CONFLICT (folded) DO NOTHING",
        params![folded.as_str(), kind, id],
    )?;
    if added == 1 {
        return Ok(());
    }
    let row = tx.row(
        "SELECT kind FROM names WHERE folded = ?1",
        params![folded.as_str()],
    )?;
    let holder: String = row.ok_or(Error::Row { what: "name" })?.get(0)?;
    let name = name.to_string();
    Err(match holder.as_str() {
        "role" | "system" => Error::NameReserved { name },
        _ => Error::NameTaken { name },
    })
}
