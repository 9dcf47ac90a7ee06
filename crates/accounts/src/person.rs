//! Users as those who look after money see them: tenant, label, e-mail address, roles and accounts.
//!
//! What it leaves to others: names, credentials and sessions (`access`).

use access::{
    Cover, Permit, Role, Secret,
    grants::{self, Part},
    known::{self, Known},
};
use model::{TenantId, Timestamp, UserId};
use store::{Tx, params};

use crate::{DEFAULT_TENANT, Error, Handle, Look, Membership, member, tenant, words};

/// A user who is to be made, as asked for.
pub struct NewPerson {
    /// The name of the tenant.
    pub tenant: String,
    /// The name, never used before in this zone: 1 to 63 of `A-Z a-z 0-9 _ . @ -`.
    pub name: String,
    /// What the person is called; empty: the name.
    pub label: String,
    /// Where the person is written to; may be empty.
    pub email: String,
    /// The password, 8 to 1024 bytes.
    pub password: Secret,
}

/// A role of a user in a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TenantRole {
    /// Looks after it.
    Admin,
    /// Looks after its money.
    Finance,
}

/// A role of a user over the zone, as SCOW calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlatformRole {
    /// Looks after everything.
    Admin,
    /// Looks after the zone's money.
    Finance,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The user.
    pub id: UserId,
    /// The number in the zone, from 1.
    pub number: u32,
    /// The name.
    pub name: String,
    /// What the person is called.
    pub label: String,
    /// Where the person is written to; may be empty.
    pub email: String,
    /// The name of the tenant.
    pub tenant: String,
    /// The roles in that tenant, in order.
    pub tenant_roles: Vec<TenantRole>,
    /// The roles over the zone, in order.
    pub platform_roles: Vec<PlatformRole>,
    /// When the user was made.
    pub created_at: Timestamp,
    /// The accounts that the user is in, by name.
    pub memberships: Vec<Membership>,
}

impl TenantRole {
    const ALL: [TenantRole; 2] = [TenantRole::Admin, TenantRole::Finance];

    /// The role as it is granted.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            TenantRole::Admin => "tenant_admin",
            TenantRole::Finance => "tenant_finance",
        }
    }
}

impl Handle {
    /// Gives the user of this name.
    ///
    /// # Errors
    /// `NotFound`: [`Error::UserNotFound`].
    pub async fn person(&self, permit: &Permit<Look>, name: &str) -> Result<Person, Error> {
        let (cover, name) = (*permit.cover(), name.to_owned());
        let read = move |tx: &mut Tx<'_>| {
            let known = known::by_name(tx, &name)?.filter(|known| sees(cover, known.id));
            let known = known.ok_or_else(|| not_found(&name))?;
            shown(tx, &known)
        };
        permit.read(&self.inner.store, read).await
    }

    /// Lists the users of a tenant by number. Whoever reaches over their own only sees themselves.
    ///
    /// # Errors
    /// `NotFound`: [`Error::TenantNotFound`].
    pub async fn people(&self, permit: &Permit<Look>, tenant: &str) -> Result<Vec<Person>, Error> {
        let (cover, tenant) = (*permit.cover(), tenant.to_owned());
        let read = move |tx: &mut Tx<'_>| {
            let tenant = tenant::find(tx, &tenant)?;
            let mut people = Vec::new();
            for known in known::all(tx)? {
                if sees(cover, known.id) && tenant_of(tx, known.id)?.id == tenant.id {
                    people.push(shown(tx, &known)?);
                }
            }
            Ok(people)
        };
        permit.read(&self.inner.store, read).await
    }

    /// Gives names and labels of those of these users whom there are.
    ///
    /// # Errors
    /// The store's own.
    pub async fn labels(
        &self,
        permit: &Permit<Look>,
        names: &[String],
    ) -> Result<Vec<(String, String)>, Error> {
        let (cover, names) = (*permit.cover(), names.to_vec());
        let read = move |tx: &mut Tx<'_>| {
            let mut labels = Vec::new();
            for name in &names {
                if let Some(known) = known::by_name(tx, name)?.filter(|known| sees(cover, known.id)) {
                    let kept = kept(tx, known.id)?;
                    let name = known.name.to_string();
                    labels.push((name.clone(), kept.map_or(name, |kept| kept.label)));
                }
            }
            Ok(labels)
        };
        permit.read(&self.inner.store, read).await
    }
}

fn sees(cover: Cover, user: UserId) -> bool {
    cover.covers(&access::Scope::User(user))
}

pub(crate) fn not_found(name: &str) -> Error {
    let user = words::shown(name);
    Error::UserNotFound { user }
}

/// What this room keeps of a user.
struct Kept {
    tenant: TenantId,
    label: String,
    email: String,
}

fn kept(tx: &mut Tx<'_>, user: UserId) -> Result<Option<Kept>, Error> {
    let row = tx.row(
        "SELECT tenant_id, label, email FROM people WHERE user_id = ?1",
        params![user],
    )?;
    let Some(row) = row else {
        return Ok(None);
    };
    Ok(Some(Kept {
        tenant: row.get(0)?,
        label: row.get(1)?,
        email: row.get(2)?,
    }))
}

/// The tenant that a user is in.
pub(crate) fn tenant_of(tx: &mut Tx<'_>, user: UserId) -> Result<tenant::Brief, Error> {
    match kept(tx, user)? {
        Some(kept) => tenant::by_id(tx, kept.tenant),
        None => tenant::find(tx, DEFAULT_TENANT),
    }
}

/// The user of this name in a tenant.
///
/// # Errors
/// `NotFound`.
pub(crate) fn in_tenant(tx: &mut Tx<'_>, tenant: &tenant::Brief, name: &str) -> Result<Known, Error> {
    let known = known::by_name(tx, name)?.ok_or_else(|| not_found(name))?;
    if tenant_of(tx, known.id)?.id == tenant.id {
        Ok(known)
    } else {
        Err(not_found(name))
    }
}

/// How many users a tenant has.
pub(crate) fn count_of(tx: &mut Tx<'_>, tenant: TenantId, name: &str) -> Result<u32, Error> {
    let count = |tx: &mut Tx<'_>, sql: &str| {
        let row = tx
            .row(sql, params![tenant])?
            .ok_or(Error::Row { what: "count" })?;
        row.get::<u32>(0).map_err(Error::from)
    };
    if name == DEFAULT_TENANT {
        // Users without a row are in it.
        let others = count(tx, "SELECT COUNT(*) FROM people WHERE tenant_id <> ?1")?;
        Ok(known::count(tx)?.saturating_sub(others))
    } else {
        count(tx, "SELECT COUNT(*) FROM people WHERE tenant_id = ?1")
    }
}

/// The part of the zone within which a tenant's roles are given.
pub(crate) fn part(tenant: TenantId) -> Part {
    Part::new("tenant", tenant)
}

/// The roles of a user in a tenant, in order.
pub(crate) fn tenant_roles(
    tx: &mut Tx<'_>,
    user: UserId,
    tenant: TenantId,
) -> Result<Vec<TenantRole>, Error> {
    let words = grants::of_user_in(tx, user, &part(tenant))?;
    let known = TenantRole::ALL.into_iter();
    Ok(known
        .filter(|role| words.iter().any(|word| word == role.word()))
        .collect())
}

/// The names of those who have a role in a tenant, in order.
pub(crate) fn staff(tx: &mut Tx<'_>, tenant: TenantId, role: TenantRole) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for (user, word) in grants::in_scope(tx, &part(tenant))? {
        if word == role.word()
            && let Some(known) = known::by_id(tx, user)?
        {
            names.push(known.name.to_string());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The user with everything that is shown.
pub(crate) fn shown(tx: &mut Tx<'_>, known: &Known) -> Result<Person, Error> {
    let tenant = tenant_of(tx, known.id)?;
    let name = known.name.to_string();
    let (label, email) = match kept(tx, known.id)? {
        Some(kept) => (kept.label, kept.email),
        None => (name.clone(), String::new()),
    };
    let is_admin = known.roles.iter().any(|role| *role >= Role::Admin);
    Ok(Person {
        id: known.id,
        number: known.number,
        name,
        label,
        email,
        tenant_roles: tenant_roles(tx, known.id, tenant.id)?,
        tenant: tenant.name,
        platform_roles: if is_admin {
            vec![PlatformRole::Admin]
        } else {
            Vec::new()
        },
        created_at: known.made_at,
        memberships: member::of_user(tx, known.id)?,
    })
}
