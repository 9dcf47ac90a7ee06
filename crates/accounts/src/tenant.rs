//! Tenants: who has accounts, and pays the zone for what these use.
//!
//! What it leaves to others: their money (`ledger`, `pay`), their users (`person`).

use access::{Cover, Permit, Write};
use model::{Money, TenantId, Timestamp, UserId};
use store::{Row, Tx, params};

use crate::{Book, CreateTenant, Error, Handle, Look, TenantRole, ledger, numbers, person, words};

/// The tenant of every user who was not put into another.
pub const DEFAULT_TENANT: &str = "default";

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The tenant.
    pub id: TenantId,
    /// Its number in the zone, from 1.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// What it has left: payments less charges.
    pub balance: Money,
    /// An account without a threshold of its own is blocked at this balance and below.
    pub block_threshold: Money,
    /// How many users it has.
    pub users: u32,
    /// How many accounts it has.
    pub accounts: u32,
    /// The names of its administrators, in order.
    pub admins: Vec<String>,
    /// The names of those who look after its money, in order.
    pub financial_staff: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Handle {
    /// Makes a tenant.
    ///
    /// # Errors
    /// Invalid: the name. Exists: [`Error::TenantExists`].
    pub async fn create_tenant(&self, permit: Permit<CreateTenant>, name: &str) -> Result<Tenant, Error> {
        words::check(|faults| words::name(faults, "tenant_name", name))?;
        let name = name.to_owned();
        let make = move |write: &mut Write<'_, '_>| {
            write.about(format_args!("tenant {name}"));
            if by_name(write, &name)?.is_some() {
                return Err(Error::TenantExists { tenant: name.clone() });
            }
            let now = write.now();
            let id = insert(write, &name, now)?;
            shown(write, id)
        };
        permit.write(&self.inner.store, make).await
    }

    /// Lists tenants by number. Whoever reaches over their own only sees the tenant that they look after.
    ///
    /// # Errors
    /// The store's own.
    pub async fn tenants(&self, permit: &Permit<Look>) -> Result<Vec<Tenant>, Error> {
        let cover = *permit.cover();
        let read = move |tx: &mut Tx<'_>| {
            let rows = tx.rows("SELECT id FROM tenants ORDER BY number", &[])?;
            let mut tenants = Vec::with_capacity(rows.len());
            for row in rows {
                let id = row.get(0)?;
                let sees = match cover {
                    Cover::Zone => true,
                    Cover::Own(own) => looks_after(tx, own, id)?,
                };
                if sees {
                    tenants.push(shown(tx, id)?);
                }
            }
            Ok(tenants)
        };
        permit.read(&self.inner.store, read).await
    }
}

fn looks_after(tx: &mut Tx<'_>, user: UserId, tenant: TenantId) -> Result<bool, Error> {
    Ok(!person::tenant_roles(tx, user, tenant)?.is_empty())
}

/// What is needed of a tenant where it is not shown.
#[derive(Debug, Clone)]
pub(crate) struct Brief {
    pub(crate) id: TenantId,
    pub(crate) name: String,
}

const BRIEF: &str = "SELECT id, name FROM tenants WHERE ";

fn brief(row: &Row) -> Result<Brief, Error> {
    Ok(Brief {
        id: row.get(0)?,
        name: row.get(1)?,
    })
}

/// The tenant of this name, in whatever case.
pub(crate) fn by_name(tx: &mut Tx<'_>, name: &str) -> Result<Option<Brief>, Error> {
    // What cannot be written down names nothing.
    if name.contains('\0') {
        return Ok(None);
    }
    let row = tx.row(
        &format!("{BRIEF} folded = ?1"),
        params![name.to_ascii_lowercase()],
    )?;
    row.as_ref().map(brief).transpose()
}

/// The tenant of this name.
///
/// # Errors
/// `NotFound`.
pub(crate) fn find(tx: &mut Tx<'_>, name: &str) -> Result<Brief, Error> {
    by_name(tx, name)?.ok_or_else(|| Error::TenantNotFound {
        tenant: words::shown(name),
    })
}

/// The tenant with this id.
pub(crate) fn by_id(tx: &mut Tx<'_>, id: TenantId) -> Result<Brief, Error> {
    let row = tx.row(&format!("{BRIEF} id = ?1"), params![id])?;
    brief(&row.ok_or(Error::Row { what: "tenant" })?)
}

pub(crate) fn shown(tx: &mut Tx<'_>, id: TenantId) -> Result<Tenant, Error> {
    let sql = "SELECT t.number, t.name, t.block_threshold, t.made_at, \
        (SELECT COUNT(*) FROM accounts a WHERE a.tenant_id = t.id) FROM tenants t WHERE t.id = ?1";
    let row = tx.row(sql, params![id])?.ok_or(Error::Row { what: "tenant" })?;
    let name: String = row.get(1)?;
    Ok(Tenant {
        id,
        number: row.get(0)?,
        balance: ledger::balance(tx, &Book::Tenant(id))?.balance,
        block_threshold: row.get(2)?,
        users: person::count_of(tx, id, &name)?,
        accounts: row.get(4)?,
        admins: person::staff(tx, id, TenantRole::Admin)?,
        financial_staff: person::staff(tx, id, TenantRole::Finance)?,
        created_at: row.get(3)?,
        name,
    })
}

/// Makes the tenant `default` where there is none.
pub(crate) fn make_default(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Error> {
    if by_name(tx, DEFAULT_TENANT)?.is_none() {
        insert(tx, DEFAULT_TENANT, now)?;
    }
    Ok(())
}

/// Writes a tenant and its books.
pub(crate) fn insert(tx: &mut Tx<'_>, name: &str, now: Timestamp) -> Result<TenantId, Error> {
    let id = TenantId::fresh(now);
    let number = numbers::next(tx, "tenant")?;
    tx.execute(
        "INSERT INTO tenants (id, number, name, folded, block_threshold, made_at) VALUES (?1, ?2, ?3, ?4, 0, ?5)",
        params![id, number, name, name.to_ascii_lowercase(), now],
    )?;
    ledger::open(tx, &Book::Tenant(id))?;
    ledger::open(tx, &Book::Earned(id))?;
    Ok(id)
}
