//! Prices: what a cluster's partition costs, for everybody or for one tenant's accounts.
//!
//! A price is never changed: the newest of a path counts for jobs that are submitted from then on.
//! What it leaves to others: the formula (`price`).

use std::collections::{BTreeMap, BTreeSet};

use access::{Cover, Permit, Write};
use model::{Money, TenantId, Timestamp};
use store::{Row, Tx, params};

use crate::{
    Error, Handle, Price, Prices,
    carry::{self, Waiting},
    numbers, person,
    price::{Amount, UnknownAmount},
    tenant, words,
};

/// A price that is to be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPrice {
    /// Its id, which no other price has; none: the zone's next.
    pub id: Option<String>,
    /// The tenant for whose accounts it counts; none: for everybody, and for what tenants pay.
    pub tenant: Option<String>,
    /// `CLUSTER.PARTITION` or `CLUSTER.PARTITION.QOS`.
    pub path: String,
    /// The price of one for an hour; not below zero.
    pub price: Money,
    /// What is counted.
    pub amount: Amount,
    /// A remark; may be empty.
    pub description: String,
}

/// A price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceItem {
    /// Its id.
    pub id: String,
    /// The tenant for whose accounts it counts; none: for everybody.
    pub tenant: Option<String>,
    /// `CLUSTER.PARTITION` or `CLUSTER.PARTITION.QOS`.
    pub path: String,
    /// The price of one for an hour.
    pub price: Money,
    /// What is counted.
    pub amount: Amount,
    /// A remark.
    pub description: String,
    /// When it was set.
    pub created_at: Timestamp,
}

/// Prices that count, and those of before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PriceList {
    /// Those that count, by path.
    pub active: Vec<PriceItem>,
    /// Those that newer ones replaced, the oldest first.
    pub history: Vec<PriceItem>,
}

impl Handle {
    /// Sets a price, and prices the jobs that waited for one.
    ///
    /// # Errors
    /// Invalid: every field at fault. `NotFound`: [`Error::TenantNotFound`]. Exists: [`Error::PriceExists`].
    pub async fn add_price(&self, permit: Permit<Price>, new: NewPrice) -> Result<PriceItem, Error> {
        words::check(|faults| {
            if let Some(id) = &new.id {
                words::text(faults, "item_id", id);
                if id.is_empty() {
                    faults.add("item_id", "is empty", "an id, or none");
                }
            }
            words::text(faults, "path", &new.path);
            if !is_path(&new.path) {
                faults.add("path", "is no path", "CLUSTER.PARTITION or CLUSTER.PARTITION.QOS");
            }
            if new.price < Money::ZERO {
                faults.add("price", "is below zero", "zero or more");
            }
            words::text(faults, "description", &new.description);
        })?;
        let booking = self.inner.booking();
        let set = move |write: &mut Write<'_, '_>| {
            write.about(format_args!("{} for {}", new.price, new.path));
            let tenant = match &new.tenant {
                Some(name) => Some(tenant::find(write, name)?),
                None => None,
            };
            let number = numbers::next(write, "price")?;
            let id = match &new.id {
                Some(id) if is_taken(write, id)? => return Err(Error::PriceExists { id: id.clone() }),
                Some(id) => id.clone(),
                None => free_id(write, number)?,
            };
            let now = write.now();
            write.execute(
                "INSERT INTO price_items (number, id, tenant_id, path, price, amount, description, made_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    number,
                    id.as_str(),
                    tenant.as_ref().map(|tenant| tenant.id),
                    &new.path,
                    new.price,
                    new.amount.word(),
                    &new.description,
                    now
                ],
            )?;
            let waiting = Waiting {
                path: Some(new.path.clone()),
                after: None,
            };
            let after = carry::part_of(write, &waiting, &booking, now)?;
            let item = PriceItem {
                id,
                tenant: tenant.map(|tenant| tenant.name),
                path: new.path.clone(),
                price: new.price,
                amount: new.amount,
                description: new.description.clone(),
                created_at: now,
            };
            Ok((item, after))
        };
        let (item, after) = permit.write(&self.inner.store, set).await?;
        if after.is_some() {
            let path = Some(item.path.clone());
            if let Err(error) = self.inner.carry_on(Waiting { path, after }).await {
                // The price is set; what it did not reach yet is reached by the next fetch or start.
                tracing::warn!(
                    error = model::chain(&error),
                    "jobs that waited for this price wait on"
                );
            }
        }
        Ok(item)
    }

    /// Lists prices: everybody's, with a tenant laid over by the tenant's own; without one also all tenants' own.
    /// Whoever reaches over their own only sees those of their tenant.
    ///
    /// # Errors
    /// `NotFound`: [`Error::TenantNotFound`].
    pub async fn prices(
        &self,
        permit: &Permit<Prices>,
        tenant: Option<&str>,
        active_only: bool,
    ) -> Result<PriceList, Error> {
        let (cover, tenant) = (*permit.cover(), tenant.map(str::to_owned));
        let read = move |tx: &mut Tx<'_>| {
            let wanted = match &tenant {
                Some(name) => Some(tenant::find(tx, name)?),
                None => None,
            };
            let wanted = match cover {
                Cover::Zone => wanted,
                Cover::Own(user) => {
                    let own = person::tenant_of(tx, user)?;
                    if let Some(other) = wanted.filter(|wanted| wanted.id != own.id) {
                        return Err(Error::TenantNotFound { tenant: other.name });
                    }
                    Some(own)
                }
            };
            let mut list = sorted(tx, wanted.map(|tenant| tenant.name))?;
            if active_only {
                list.history.clear();
            }
            Ok(list)
        };
        permit.read(&self.inner.store, read).await
    }
}

/// Two or three words between dots.
fn is_path(path: &str) -> bool {
    let words: Vec<&str> = path.split('.').collect();
    (2..=3).contains(&words.len()) && words.iter().all(|word| !word.trim().is_empty())
}

fn is_taken(tx: &mut Tx<'_>, id: &str) -> Result<bool, Error> {
    let row = tx.row("SELECT 1 FROM price_items WHERE id = ?1", params![id])?;
    Ok(row.is_some())
}

/// An id that no price has, made of its number.
fn free_id(tx: &mut Tx<'_>, number: i64) -> Result<String, Error> {
    let mut id = format!("P{number:04}");
    while is_taken(tx, &id)? {
        id.push('x');
    }
    Ok(id)
}

/// All prices that a tenant's accounts may pay, or without a tenant all: those that count, and those of before.
fn sorted(tx: &mut Tx<'_>, tenant: Option<String>) -> Result<PriceList, Error> {
    let rows = tx.rows(
        "SELECT i.id, t.name, i.path, i.price, i.amount, i.description, i.made_at FROM price_items i \
         LEFT JOIN tenants t ON t.id = i.tenant_id ORDER BY i.number",
        &[],
    )?;
    let mut newest: BTreeMap<(String, Option<String>), PriceItem> = BTreeMap::new();
    let mut history = Vec::new();
    for row in &rows {
        let item = item(row)?;
        if tenant.is_some() && item.tenant.is_some() && item.tenant != tenant {
            continue;
        }
        let key = (item.path.clone(), item.tenant.clone());
        history.extend(newest.insert(key, item));
    }
    if tenant.is_some() {
        // The tenant's own price of a path stands before everybody's.
        let (own, shared): (Vec<PriceItem>, Vec<PriceItem>) =
            newest.into_values().partition(|item| item.tenant.is_some());
        let paths: BTreeSet<String> = own.iter().map(|item| item.path.clone()).collect();
        let (hidden, left): (Vec<PriceItem>, Vec<PriceItem>) =
            shared.into_iter().partition(|item| paths.contains(&item.path));
        history.extend(hidden);
        let mut active = [own, left].concat();
        active.sort_by(|one, other| one.path.cmp(&other.path));
        return Ok(PriceList { active, history });
    }
    Ok(PriceList {
        active: newest.into_values().collect(),
        history,
    })
}

fn item(row: &Row) -> Result<PriceItem, Error> {
    let amount: String = row.get(4)?;
    let amount = amount
        .parse()
        .map_err(|UnknownAmount| Error::Row { what: "price" })?;
    Ok(PriceItem {
        id: row.get(0)?,
        tenant: row.get(1)?,
        path: row.get(2)?,
        price: row.get(3)?,
        amount,
        description: row.get(5)?,
        created_at: row.get(6)?,
    })
}

/// A price as a job is bound to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pinned {
    pub(crate) number: i64,
    pub(crate) unit_price: Money,
    pub(crate) amount: Amount,
}

const PINNED: &str = "SELECT number, price, amount FROM price_items WHERE ";

fn pinned(row: &Row) -> Result<Pinned, Error> {
    let amount: String = row.get(2)?;
    Ok(Pinned {
        number: row.get(0)?,
        unit_price: row.get(1)?,
        amount: amount
            .parse()
            .map_err(|UnknownAmount| Error::Row { what: "price" })?,
    })
}

/// The price with this number.
pub(crate) fn by_number(tx: &mut Tx<'_>, number: i64) -> Result<Pinned, Error> {
    let row = tx.row(&format!("{PINNED} number = ?1"), params![number])?;
    pinned(&row.ok_or(Error::Row { what: "price" })?)
}

/// The price of a path now: a tenant's own, or everybody's.
fn newest(tx: &mut Tx<'_>, path: &str, tenant: Option<TenantId>) -> Result<Option<Pinned>, Error> {
    let row = match tenant {
        Some(tenant) => tx.row(
            &format!("{PINNED} path = ?1 AND tenant_id = ?2 ORDER BY number DESC LIMIT 1"),
            params![path, tenant],
        )?,
        None => tx.row(
            &format!("{PINNED} path = ?1 AND tenant_id IS NULL ORDER BY number DESC LIMIT 1"),
            params![path],
        )?,
    };
    row.as_ref().map(pinned).transpose()
}

/// Where a job runs, as prices name it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) partition: &'a str,
    pub(crate) qos: &'a str,
}

impl Place<'_> {
    /// The price there now: of the quality of service, else of the partition.
    fn price(&self, tx: &mut Tx<'_>, tenant: Option<TenantId>) -> Result<Option<Pinned>, Error> {
        let partition = format!("{}.{}", self.cluster, self.partition);
        if !self.qos.is_empty()
            && let Some(found) = newest(tx, &format!("{partition}.{}", self.qos), tenant)?
        {
            return Ok(Some(found));
        }
        newest(tx, &partition, tenant)
    }

    /// What a tenant pays the zone there.
    pub(crate) fn tenant_price(&self, tx: &mut Tx<'_>) -> Result<Option<Pinned>, Error> {
        self.price(tx, None)
    }

    /// What an account of this tenant pays there.
    pub(crate) fn account_price(&self, tx: &mut Tx<'_>, tenant: TenantId) -> Result<Option<Pinned>, Error> {
        match self.price(tx, Some(tenant))? {
            Some(own) => Ok(Some(own)),
            None => self.price(tx, None),
        }
    }

    /// The first of all prices of either path: a tenant's own or everybody's.
    fn first(&self, tx: &mut Tx<'_>, tenant: Option<TenantId>) -> Result<Option<Pinned>, Error> {
        let partition = format!("{}.{}", self.cluster, self.partition);
        let with_qos = format!("{partition}.{}", self.qos);
        // Nothing is a tenant's id.
        let tenant = tenant.map(|tenant| tenant.to_string()).unwrap_or_default();
        let row = tx.row(
            &format!(
                "{PINNED} path IN (?1, ?2) AND (tenant_id IS NULL OR tenant_id = ?3) ORDER BY number LIMIT 1"
            ),
            params![partition, with_qos, tenant],
        )?;
        row.as_ref().map(pinned).transpose()
    }

    /// What a tenant pays for a job that found no price: the first that appeared.
    pub(crate) fn first_tenant_price(&self, tx: &mut Tx<'_>) -> Result<Option<Pinned>, Error> {
        self.first(tx, None)
    }

    /// What an account of this tenant pays for a job that found no price: the first that appeared.
    pub(crate) fn first_account_price(
        &self,
        tx: &mut Tx<'_>,
        tenant: TenantId,
    ) -> Result<Option<Pinned>, Error> {
        self.first(tx, Some(tenant))
    }
}
