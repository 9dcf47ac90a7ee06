//! Who holds which role: rows of (subject, role, scope), changed only inside a permitted write.
//!
//! What it leaves to others: what a role may do (`roles`).

use model::{Timestamp, UserId};
use store::{Tx, params};

use crate::{Error, Role, Write, permit::Cover};

/// The topic under which changed grants are announced; the key is the subject.
pub(crate) const TOPIC: &str = "access.grants";
/// The scope of every grant so far: the whole zone.
const ZONE: &str = "zone";

/// The roles of a user over the zone, lowest first.
pub(crate) fn of_user(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<Role>, Error> {
    let rows = tx.rows(
        "SELECT role FROM grants WHERE subject = ?1 AND scope = ?2",
        params![user, ZONE],
    )?;
    let mut roles = Vec::with_capacity(rows.len());
    for row in rows {
        let word: String = row.get(0)?;
        roles.push(
            word.parse::<Role>()
                .map_err(|_unknown| Error::Row { what: "grant" })?,
        );
    }
    roles.sort_unstable();
    Ok(roles)
}

/// The words of a user's roles in alphabetical order.
pub(crate) fn words_of_user(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<String>, Error> {
    let mut words: Vec<String> = of_user(tx, user)?
        .iter()
        .map(|role| role.word().to_owned())
        .collect();
    words.sort_unstable();
    Ok(words)
}

pub(crate) fn insert(
    tx: &mut Tx<'_>,
    user: UserId,
    role: Role,
    by: Option<UserId>,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO grants (subject, role, scope, given_by, given_at) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (subject, role, scope) DO NOTHING",
        params![user, role.word(), ZONE, by, now],
    )?;
    tx.change(TOPIC, &user.to_string())?;
    Ok(())
}

/// Gives a role over the zone, as the writer's actor.
///
/// # Errors
/// `Denied`, with an audit row, unless the actor reaches over the zone and stands above the role, or is an
/// owner.
pub fn give(write: &mut Write<'_, '_>, user: UserId, role: Role) -> Result<(), Error> {
    check_rank(write, Some(role))?;
    let (by, now) = (write.actor().user().id, write.now());
    insert(write, user, role, Some(by), now)
}

/// Takes a role over the zone away, as the writer's actor. A role that was not held is no fault.
///
/// # Errors
/// `Denied`, with an audit row, unless the actor reaches over the zone and stands above the role, or is an
/// owner; `Precondition` for the last owner's role.
pub fn take(write: &mut Write<'_, '_>, user: UserId, role: Role) -> Result<(), Error> {
    check_rank(write, Some(role))?;
    if role == Role::Owner && owners(write)? == [user] {
        return Err(Error::LastOwner);
    }
    write.execute(
        "DELETE FROM grants WHERE subject = ?1 AND role = ?2 AND scope = ?3",
        params![user, role.word(), ZONE],
    )?;
    write.change(TOPIC, &user.to_string())?;
    Ok(())
}

/// Every owner of the zone.
pub(crate) fn owners(tx: &mut Tx<'_>) -> Result<Vec<UserId>, Error> {
    let rows = tx.rows(
        "SELECT subject FROM grants WHERE role = ?1 AND scope = ?2 ORDER BY given_at, subject",
        params![Role::Owner.word(), ZONE],
    )?;
    rows.iter().map(|row| row.get(0).map_err(Error::from)).collect()
}

/// Refuses unless the actor reaches over the zone and stands above `rank`, or is an owner.
pub(crate) fn check_rank(write: &mut Write<'_, '_>, rank: Option<Role>) -> Result<(), Error> {
    let actor = write.actor().user().id;
    let mine = of_user(write, actor)?.into_iter().max();
    let above = mine == Some(Role::Owner) || mine > rank;
    if above && *write.cover() == Cover::Zone {
        Ok(())
    } else {
        Err(write.deny())
    }
}
