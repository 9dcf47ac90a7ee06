//! The ids of apps for which a session is opened: which of them anybody may name.
//!
//! An id that is a part of the system would let its holder pass for that part in every policy that trusts it by
//! name, and one that is a person's or a machine's would share that one's lines. What it leaves to others: what
//! an app may do.

use model::Name;
use store::{Tx, params};

use crate::{Error, Faults};

/// The app that this zone's own clients are.
pub(crate) const OWN: &str = "soke";

/// Programs of the system through which people do their own work, with their own right.
const FOR_PEOPLE: [&str; 4] = [OWN, "console", "control-panel", "buckycli"];

/// Parts of the system that policies of BuckyOS know by these ids, beside those in the table of names.
const SYSTEM: [&str; 16] = [
    "aicc",
    "cyfs-gateway",
    "kernel",
    "kevent",
    "kmsg",
    "msg-center",
    "node-daemon",
    "opendan",
    "repo-service",
    "root",
    "scheduler",
    "slog-server",
    "smb-service",
    "system-config",
    "task-dispatcher",
    "workflow",
];

/// The form under which two ids are the same: lower case, and no difference between `_` and `-`.
fn folded(app_id: &Name) -> String {
    app_id.folded().replace('_', "-")
}

/// Reads an id.
pub(crate) fn read(faults: &mut Faults, app_id: &str) -> Option<Name> {
    let name = Name::imported(app_id).ok();
    if name.is_none() {
        let most = Name::MOST_IMPORTED;
        faults.add(
            "appid",
            format!("is no id of an app ({} bytes)", app_id.len()),
            format!("1 to {most} of a-z, A-Z, 0-9, _ . @ -"),
        );
    }
    name
}

/// Passes where anybody may open a session for this app.
///
/// # Errors
/// `Denied` where the id belongs to a part of the system or to somebody.
pub(crate) fn check(tx: &mut Tx<'_>, app_id: &Name) -> Result<(), Error> {
    let plain = folded(app_id);
    if FOR_PEOPLE.contains(&plain.as_str()) {
        return Ok(());
    }
    let row = tx.row(
        "SELECT 1 FROM names WHERE (folded = ?1 OR folded = ?2) AND kind <> 'app' LIMIT 1",
        params![app_id.folded(), plain.as_str()],
    )?;
    if row.is_some() || SYSTEM.contains(&plain.as_str()) || plain.starts_with("su-") {
        return Err(Error::AppReserved {
            app_id: app_id.to_string(),
        });
    }
    Ok(())
}
