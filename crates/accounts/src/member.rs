//! Who is in which account.
//!
//! What it leaves to others: the accounts (`account`), the users (`person`).

use access::{Cover, Permit, Scope, Write, known};
use model::{AccountId, Timestamp, UserId};
use store::{Tx, params};

use crate::{Error, Handle, Join, Look, Person, account, person, tenant, words};

/// What a user may do in an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberRole {
    /// Runs jobs on it.
    User,
    /// Looks after its users too.
    Admin,
    /// Has it; each account has one owner.
    Owner,
}

/// An account that a user is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The account's name.
    pub account: String,
    /// As what.
    pub role: MemberRole,
}

/// A user who is to be taken into an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewMember {
    /// The tenant of both; none: the account's.
    pub tenant: Option<String>,
    /// The account's name.
    pub account: String,
    /// The user's name.
    pub user: String,
}

impl MemberRole {
    pub(crate) const ALL: [MemberRole; 3] = [MemberRole::User, MemberRole::Admin, MemberRole::Owner];

    /// The role as stored and shown.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            MemberRole::User => "user",
            MemberRole::Admin => "admin",
            MemberRole::Owner => "owner",
        }
    }

    pub(crate) fn read(word: &str) -> Result<Self, Error> {
        let found = MemberRole::ALL.into_iter().find(|role| role.word() == word);
        found.ok_or(Error::Row { what: "membership" })
    }
}

impl Handle {
    /// Takes a user into an account of the same tenant.
    ///
    /// # Errors
    /// `NotFound`: [`Error::TenantNotFound`], [`Error::UserNotFound`], [`Error::AccountNotFound`], also for who is not
    /// an administrator of the account. Exists: [`Error::MemberExists`].
    pub async fn add_user(&self, permit: Permit<Join>, new: NewMember) -> Result<(), Error> {
        let add = move |write: &mut Write<'_, '_>| {
            let (user, account) = (words::shown(&new.user), words::shown(&new.account));
            write.about(format_args!("user {user} in account {account}"));
            let account = account::by_name(write, &new.account)?;
            let tenant = match (&new.tenant, &account) {
                (Some(name), _) => tenant::find(write, name)?,
                (None, Some(account)) => tenant::by_id(write, account.tenant)?,
                (None, None) => return Err(account::not_found(&new.account)),
            };
            let user = person::in_tenant(write, &tenant, &new.user)?;
            let account = account.filter(|account| account.tenant == tenant.id);
            let account = account.ok_or_else(|| account::not_found(&new.account))?;
            if let Cover::Own(own) = *write.cover() {
                // Who does not look after the account is told nothing of it.
                let may = role_in(write, account.id, own)?.is_some_and(|role| role >= MemberRole::Admin);
                if !may {
                    return Err(account::not_found(&new.account));
                }
            }
            if role_in(write, account.id, user.id)?.is_some() {
                return Err(Error::MemberExists {
                    account: account.name,
                    user: user.name.to_string(),
                });
            }
            let now = write.now();
            insert(write, account.id, &user, MemberRole::User, now)
        };
        permit.write(&self.inner.store, add).await
    }
}

impl Handle {
    /// Lists the users of an account by name with all that is shown of them, and what each is in it; nobody where there
    /// is no such account. Whoever reaches over their own only sees all of them as an administrator of the account, and
    /// else themselves.
    ///
    /// # Errors
    /// The store's own.
    pub async fn account_users(
        &self,
        permit: &Permit<Look>,
        tenant: &str,
        account: &str,
    ) -> Result<Vec<(Person, MemberRole)>, Error> {
        let (cover, tenant, account) = (*permit.cover(), tenant.to_owned(), account.to_owned());
        let read = move |tx: &mut Tx<'_>| {
            let (Some(tenant), Some(account)) =
                (tenant::by_name(tx, &tenant)?, account::by_name(tx, &account)?)
            else {
                return Ok(Vec::new());
            };
            if account.tenant != tenant.id {
                return Ok(Vec::new());
            }
            let sees_all = match cover {
                Cover::Zone => true,
                Cover::Own(own) => {
                    role_in(tx, account.id, own)?.is_some_and(|role| role >= MemberRole::Admin)
                }
            };
            let sql = "SELECT user_id, role FROM account_members WHERE account_id = ?1 ORDER BY user_name";
            let mut members = Vec::new();
            for row in tx.rows(sql, params![account.id])? {
                let (id, word): (UserId, String) = (row.get(0)?, row.get(1)?);
                if sees_all || cover.covers(&Scope::User(id)) {
                    let known = known::by_id(tx, id)?.ok_or(Error::Row { what: "membership" })?;
                    members.push((person::shown(tx, &known)?, MemberRole::read(&word)?));
                }
            }
            Ok(members)
        };
        permit.read(&self.inner.store, read).await
    }
}

/// Writes who is in an account.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    account: AccountId,
    user: &access::known::Known,
    role: MemberRole,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO account_members (account_id, user_id, user_name, role, added_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![account, user.id, &user.name, role.word(), now],
    )?;
    Ok(())
}

/// What a user is in an account.
pub(crate) fn role_in(
    tx: &mut Tx<'_>,
    account: AccountId,
    user: UserId,
) -> Result<Option<MemberRole>, Error> {
    let sql = "SELECT role FROM account_members WHERE account_id = ?1 AND user_id = ?2";
    let row = tx.row(sql, params![account, user])?;
    let Some(row) = row else {
        return Ok(None);
    };
    let word: String = row.get(0)?;
    MemberRole::read(&word).map(Some)
}

/// The accounts that a user is in, by name.
pub(crate) fn of_user(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<Membership>, Error> {
    let sql = "SELECT a.name, m.role FROM account_members m JOIN accounts a ON a.id = m.account_id \
        WHERE m.user_id = ?1 ORDER BY a.folded";
    let membership = |row: &store::Row| {
        let word: String = row.get(1)?;
        Ok(Membership {
            account: row.get(0)?,
            role: MemberRole::read(&word)?,
        })
    };
    tx.rows(sql, params![user])?.iter().map(membership).collect()
}

/// The name of an account's owner, and what the owner is called.
pub(crate) fn owner(tx: &mut Tx<'_>, account: AccountId) -> Result<(String, String), Error> {
    let sql = "SELECT m.user_name, p.label FROM account_members m LEFT JOIN people p ON p.user_id = m.user_id \
        WHERE m.account_id = ?1 AND m.role = 'owner'";
    let row = tx
        .row(sql, params![account])?
        .ok_or(Error::Row { what: "owner" })?;
    let (name, label): (String, Option<String>) = (row.get(0)?, row.get(1)?);
    let label = label.unwrap_or_else(|| name.clone());
    Ok((name, label))
}

/// How many users are in an account.
pub(crate) fn count(tx: &mut Tx<'_>, account: AccountId) -> Result<u32, Error> {
    let sql = "SELECT COUNT(*) FROM account_members WHERE account_id = ?1";
    let row = tx.row(sql, params![account])?;
    Ok(row.ok_or(Error::Row { what: "count" })?.get(0)?)
}
