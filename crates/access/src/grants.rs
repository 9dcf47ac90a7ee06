//! Who holds which role: rows of (subject, role, scope), changed only inside a permitted write.
//!
//! The zone's own roles have the scope of the whole zone. Within a part of it, such as a tenant, a slice gives roles of
//! its own words. What it leaves to others: what a role may do (`roles`, and for roles of a part the slice).

use std::fmt;

use model::{Timestamp, UserId};
use store::{Tx, params};

use crate::{Actor, Error, Role, Write, permit::Cover};

/// The topic under which changed grants are announced; the key is the subject.
pub(crate) const TOPIC: &str = "access.grants";
/// The scope of the zone's own roles: the whole zone.
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
/// `Denied`, with an audit row, unless the actor reaches over the zone and stands above the role, is an owner, or is a
/// front end whose ceiling is no lower.
pub fn give(write: &mut Write<'_, '_>, user: UserId, role: Role) -> Result<(), Error> {
    check_rank(write, Some(role))?;
    let (by, now) = (write.actor().user().map(|user| user.id), write.now());
    insert(write, user, role, by, now)
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

/// A part of the zone within which a slice gives roles of its own, such as a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part(String);

impl Part {
    /// The part of this kind and id: `tenant` and the tenant's id.
    #[must_use]
    pub fn new(kind: &'static str, id: impl fmt::Display) -> Self {
        // The colon keeps it apart from the whole zone, whatever kind and id are.
        Self(format!("{kind}:{id}"))
    }
}

/// Gives a user a role within a part of the zone, as the writer's actor. A role that is held already is no fault.
///
/// # Errors
/// `Denied`, with an audit row, unless the actor reaches over the zone.
pub fn give_in(
    write: &mut Write<'_, '_>,
    user: UserId,
    role: &'static str,
    part: &Part,
) -> Result<(), Error> {
    check_reach(write)?;
    let (by, now) = (write.actor().user().map(|user| user.id), write.now());
    write.execute(
        "INSERT INTO grants (subject, role, scope, given_by, given_at) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (subject, role, scope) DO NOTHING",
        params![user, role, part.0.as_str(), by, now],
    )?;
    write.change(TOPIC, &user.to_string())?;
    Ok(())
}

/// Takes a user's role within a part of the zone away, as the writer's actor. A role that was not held is no fault.
///
/// # Errors
/// `Denied`, with an audit row, unless the actor reaches over the zone.
pub fn take_in(
    write: &mut Write<'_, '_>,
    user: UserId,
    role: &'static str,
    part: &Part,
) -> Result<(), Error> {
    check_reach(write)?;
    write.execute(
        "DELETE FROM grants WHERE subject = ?1 AND role = ?2 AND scope = ?3",
        params![user, role, part.0.as_str()],
    )?;
    write.change(TOPIC, &user.to_string())?;
    Ok(())
}

/// Who holds which role within a part of the zone, by when it was given.
///
/// # Errors
/// The store's own.
pub fn in_scope(tx: &mut Tx<'_>, part: &Part) -> Result<Vec<(UserId, String)>, Error> {
    let rows = tx.rows(
        "SELECT subject, role FROM grants WHERE scope = ?1 ORDER BY given_at, subject, role",
        params![part.0.as_str()],
    )?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// The roles that a user holds within a part of the zone, in alphabetical order.
///
/// # Errors
/// The store's own.
pub fn of_user_in(tx: &mut Tx<'_>, user: UserId, part: &Part) -> Result<Vec<String>, Error> {
    let rows = tx.rows(
        "SELECT role FROM grants WHERE subject = ?1 AND scope = ?2 ORDER BY role",
        params![user, part.0.as_str()],
    )?;
    rows.iter().map(|row| row.get(0).map_err(Error::from)).collect()
}

/// Every owner of the zone.
pub(crate) fn owners(tx: &mut Tx<'_>) -> Result<Vec<UserId>, Error> {
    let rows = tx.rows(
        "SELECT subject FROM grants WHERE role = ?1 AND scope = ?2 ORDER BY given_at, subject",
        params![Role::Owner.word(), ZONE],
    )?;
    rows.iter().map(|row| row.get(0).map_err(Error::from)).collect()
}

/// Refuses unless the actor reaches over the zone and stands above `rank`, or is an owner. A front end that speaks for
/// nobody stands above all up to its ceiling: whoever has told it what to do stands there, and it does not say who.
pub(crate) fn check_rank(write: &mut Write<'_, '_>, rank: Option<Role>) -> Result<(), Error> {
    let above = match write.actor().clone() {
        Actor::User(user) => {
            let mine = of_user(write, user.id)?.into_iter().max();
            mine == Some(Role::Owner) || mine > rank
        }
        Actor::FrontEnd(front_end) => front_end.speaks_for.is_none() && Some(front_end.ceiling) >= rank,
    };
    if above {
        check_reach(write)
    } else {
        Err(write.deny())
    }
}

/// Refuses unless the actor reaches over the zone.
fn check_reach(write: &mut Write<'_, '_>) -> Result<(), Error> {
    if *write.cover() == Cover::Zone {
        Ok(())
    } else {
        Err(write.deny())
    }
}
