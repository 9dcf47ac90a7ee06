//! The people and programs of the zone, as administrators see them; and the zone's first owner.
//!
//! What it leaves to others: what users do for themselves (`yourself`).

use model::{Name, Timestamp, UserId};
use store::{Row, Tx, params};

use crate::{
    Access, Actor, Error, Faults, Permit, Role, Secret, Write,
    action::user::{Code, Create, List, Revoke},
    audit::{self, Entry, Outcome},
    digest, grants, names, sessions,
};

/// A user, as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub id: UserId,
    /// The name, never given to anybody else.
    pub name: Name,
    /// The number in the zone, from 1.
    pub number: u32,
    /// The roles over the whole zone, in alphabetical order.
    pub roles: Vec<String>,
    /// The Unix account for the user's work; none: one of the zone's own.
    pub unix_name: Option<String>,
}

/// A user that is to be made, as asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewUser {
    /// `[a-z][a-z0-9-]{0,31}`, never used before in this zone.
    pub name: String,
    /// "admin" or "member"; empty means "member".
    pub role: String,
    /// The Unix account for the user's work; empty: one of the zone's own.
    pub unix_name: String,
}

/// A part of the list of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPage {
    /// Users by name.
    pub users: Vec<User>,
    /// Where the next page begins; none at the end.
    pub next: Option<String>,
}

/// The parts of [`NewUser`], proven well formed.
#[derive(Clone)]
struct Checked {
    name: Name,
    role: Role,
    unix_name: Option<String>,
}

impl NewUser {
    fn check(&self) -> Result<Checked, Error> {
        let mut faults = Faults::default();
        let name: Result<Name, _> = self.name.parse();
        if let Err(fault) = &name {
            faults.add(
                "user_name",
                format!("is not a name: {fault}"),
                "[a-z][a-z0-9-]{0,31}",
            );
        }
        let role = if self.role.is_empty() {
            Some(Role::Member)
        } else {
            self.role.parse().ok()
        };
        let role = role.filter(|role| [Role::Admin, Role::Member].contains(role));
        if role.is_none() {
            faults.add("role", "is no role that can be given", "`admin` or `member`");
        }
        let unix_name = Some(self.unix_name.clone()).filter(|name| !name.is_empty());
        if unix_name.as_ref().is_some_and(|name| !is_unix_name(name)) {
            faults.add(
                "unix_name",
                "is no account for a user's work",
                "[a-z_][a-z0-9_-]{0,31}, and not `root`",
            );
        }
        match (name, role) {
            (Ok(name), Some(role)) if faults.0.is_empty() => Ok(Checked {
                name,
                role,
                unix_name,
            }),
            _ => Err(Error::Invalid(faults)),
        }
    }
}

fn is_unix_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    begins && name.len() <= 32 && name.chars().all(fits) && name != "root"
}

impl Access {
    /// Makes the zone's owner where there is none, and gives a one-time sign-in code for it. Gives a fresh code
    /// again as long as the owner has neither a password nor a key nor a standing session; none after that.
    ///
    /// # Errors
    /// `Invalid` for what is not a name; `Exists` for a reserved one; the store's own.
    pub async fn first_owner(&self, name: &str) -> Result<Option<Secret>, Error> {
        let wanted = NewUser {
            name: name.to_owned(),
            ..NewUser::default()
        }
        .check()?;
        let (code, now) = (digest::random_text()?, self.house.clock.now());
        let (hash, ends) = (
            digest::sha256_hex(code.expose().as_bytes()),
            now + self.house.config.code_life,
        );
        let make = move |tx: &mut Tx<'_>| {
            let owner = match grants::owners(tx)?.first() {
                Some(owner) if can_sign_in(tx, *owner, now)? => return Ok(false),
                Some(owner) => *owner,
                None => {
                    let owner = insert(tx, &wanted, now)?;
                    grants::insert(tx, owner, Role::Owner, None, now)?;
                    let entry = Entry::of_system("soke", "zone.first_owner").about(wanted.name.as_str());
                    audit::insert(tx, &entry, Outcome::Done, now)?;
                    owner
                }
            };
            tx.execute("DELETE FROM sign_in_codes WHERE user_id = ?1", params![owner])?;
            insert_code(tx, owner, &hash, ends)?;
            Ok(true)
        };
        Ok(self.house.write(make).await?.then_some(code))
    }

    /// Makes a user and a one-time sign-in code for it.
    ///
    /// # Errors
    /// `Invalid` naming every field at fault; `Exists` for a name that was ever given or is reserved, or an
    /// account of another user; `Denied` where the role does not stand below the caller's own, or somebody else
    /// than an owner names a Unix account.
    pub async fn create_user(
        &self,
        permit: &Permit<Create>,
        wanted: &NewUser,
    ) -> Result<(User, Secret), Error> {
        let wanted = wanted.check()?;
        let code = digest::random_text()?;
        let (hash, life) = (
            digest::sha256_hex(code.expose().as_bytes()),
            self.house.config.code_life,
        );
        let make = move |write: &mut Write<'_, '_>| {
            let now = write.now();
            write.about(format_args!("user {} as {}", wanted.name, wanted.role));
            // Whoever may name the account could become anybody on the machine: only the owner has that anyway.
            if wanted.unix_name.is_some() && !write.is_owner() {
                return Err(write.deny());
            }
            let id = insert(write, &wanted, now)?;
            grants::give(write, id, wanted.role)?;
            insert_code(write, id, &hash, now + life)?;
            find(write, wanted.name.as_str())
        };
        let user = permit.write(&self.house.store, make).await?;
        Ok((user, code))
    }

    /// Lists users by name: at most `most` (1 to 1000) after the place `after`, which an earlier page gave.
    ///
    /// # Errors
    /// The store's own.
    pub async fn list_users(
        &self,
        permit: &Permit<List>,
        most: u32,
        after: Option<&str>,
    ) -> Result<UserPage, Error> {
        let (most, after) = (most.clamp(1, 1000), after.unwrap_or_default().to_owned());
        let read = move |tx: &mut Tx<'_>| {
            let sql =
                "SELECT id, name, number, unix_name FROM users WHERE folded > ?1 ORDER BY folded LIMIT ?2";
            let rows = tx.rows(sql, params![after.as_str(), most + 1])?;
            let whole = usize::try_from(most).unwrap_or(usize::MAX);
            let users: Result<Vec<User>, Error> = rows.iter().take(whole).map(|row| user(tx, row)).collect();
            let users = users?;
            let last = users.last().map(|user| user.name.folded());
            Ok(UserPage {
                next: last.filter(|_| rows.len() > whole),
                users,
            })
        };
        permit.read(&self.house.store, read).await
    }

    /// Gives a fresh one-time sign-in code for a user; codes given before no longer count.
    ///
    /// # Errors
    /// `NotFound` for an unknown name; `Denied` for a user who does not stand below the caller.
    pub async fn create_sign_in_code(&self, permit: &Permit<Code>, user_name: &str) -> Result<Secret, Error> {
        let code = digest::random_text()?;
        let (hash, life) = (
            digest::sha256_hex(code.expose().as_bytes()),
            self.house.config.code_life,
        );
        let name = user_name.to_owned();
        let make = move |write: &mut Write<'_, '_>| {
            let user = find_below(write, &name)?;
            let ends = write.now() + life;
            write.execute("DELETE FROM sign_in_codes WHERE user_id = ?1", params![user])?;
            insert_code(write, user, &hash, ends)
        };
        permit.write(&self.house.store, make).await?;
        Ok(code)
    }

    /// Ends every session of a user, and their sign-in codes; tells how many sessions.
    ///
    /// # Errors
    /// `NotFound` for an unknown name; `Denied` for a user who does not stand below the caller.
    pub async fn revoke_sessions(&self, permit: &Permit<Revoke>, user_name: &str) -> Result<u32, Error> {
        let name = user_name.to_owned();
        let end = move |write: &mut Write<'_, '_>| {
            let (user, now) = (find_below(write, &name)?, write.now());
            write.execute("DELETE FROM sign_in_codes WHERE user_id = ?1", params![user])?;
            sessions::end_all_but(write, user, None, "revoked", now)
        };
        permit.write(&self.house.store, end).await
    }
}

/// Tells whether a user has any way in that does not need a new code.
fn can_sign_in(tx: &mut Tx<'_>, user: UserId, now: Timestamp) -> Result<bool, Error> {
    let row = tx.row(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM passwords WHERE user_id = ?1) \
         OR EXISTS (SELECT 1 FROM user_keys WHERE user_id = ?1) \
         OR EXISTS (SELECT 1 FROM wallets WHERE user_id = ?1) \
         OR EXISTS (SELECT 1 FROM sessions WHERE user_id = ?1 AND ended_at IS NULL AND expires_at > ?2)",
        params![user, now],
    )?;
    Ok(row.is_some())
}

/// Makes a user of no rights whom nobody asked for, such as a wallet's. None where the name was ever given.
pub(crate) fn insert_guest(tx: &mut Tx<'_>, name: Name, now: Timestamp) -> Result<Option<UserId>, Error> {
    let wanted = Checked {
        name,
        role: Role::Guest,
        unix_name: None,
    };
    match insert(tx, &wanted, now) {
        Ok(user) => {
            grants::insert(tx, user, wanted.role, None, now)?;
            Ok(Some(user))
        }
        Err(Error::NameTaken { .. } | Error::NameReserved { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Takes the name and the next number, and writes the user.
fn insert(tx: &mut Tx<'_>, wanted: &Checked, now: Timestamp) -> Result<UserId, Error> {
    let id = UserId::fresh(now);
    names::claim(tx, &wanted.name, "user", &id.to_string())?;
    if let Some(unix_name) = &wanted.unix_name {
        let holder = tx.row(
            "SELECT 1 FROM users WHERE unix_name = ?1",
            params![unix_name.as_str()],
        )?;
        if holder.is_some() {
            return Err(Error::UnixNameTaken {
                unix_name: unix_name.clone(),
            });
        }
    }
    tx.execute(
        "INSERT INTO users (id, name, folded, unix_name, number, made_at) \
         VALUES (?1, ?2, ?3, ?4, (SELECT COALESCE(MAX(number), 0) + 1 FROM users), ?5)",
        params![
            id,
            &wanted.name,
            wanted.name.folded(),
            wanted.unix_name.clone(),
            now
        ],
    )?;
    Ok(id)
}

/// Makes a user with no role and no Unix account whom nobody asked for.
pub(crate) fn insert_plain(tx: &mut Tx<'_>, name: &Name, now: Timestamp) -> Result<UserId, Error> {
    let wanted = Checked {
        name: name.clone(),
        role: Role::Member,
        unix_name: None,
    };
    insert(tx, &wanted, now)
}

/// The user of this name, where there is one.
pub(crate) fn id_of(tx: &mut Tx<'_>, name: &Name) -> Result<Option<UserId>, Error> {
    let row = tx.row("SELECT id FROM users WHERE folded = ?1", params![name.folded()])?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

fn insert_code(tx: &mut Tx<'_>, user: UserId, hash: &str, ends: Timestamp) -> Result<(), Error> {
    let sql = "INSERT INTO sign_in_codes (hash, user_id, expires_at) VALUES (?1, ?2, ?3)";
    tx.execute(sql, params![hash, user, ends])?;
    Ok(())
}

fn user(tx: &mut Tx<'_>, row: &Row) -> Result<User, Error> {
    let id = row.get(0)?;
    Ok(User {
        id,
        name: row.get(1)?,
        number: row.get(2)?,
        unix_name: row.get(3)?,
        roles: grants::words_of_user(tx, id)?,
    })
}

fn find(tx: &mut Tx<'_>, name: &str) -> Result<User, Error> {
    // What cannot be a name names nobody, and is not repeated.
    let known = Name::imported(name).ok();
    let folded = known.as_ref().map(Name::folded).unwrap_or_default();
    let sql = "SELECT id, name, number, unix_name FROM users WHERE folded = ?1";
    let row = tx.row(sql, params![folded])?;
    let what = known.map_or_else(|| "user".to_owned(), |name| format!("user `{name}`"));
    row.map_or(Err(Error::NotFound { what }), |row| user(tx, &row))
}

/// The user of this name, where the writer's actor stands above it, is an owner, or is that user.
fn find_below(write: &mut Write<'_, '_>, name: &str) -> Result<UserId, Error> {
    let user = find(write, name)?;
    write.about(format_args!("user {}", user.name));
    let is_self = matches!(write.actor(), Actor::User(actor) if actor.id == user.id);
    if !is_self {
        let rank = grants::of_user(write, user.id)?.into_iter().max();
        grants::check_rank(write, rank)?;
    }
    Ok(user.id)
}
