//! Payments: money that comes from outside into an account or a tenant, or goes back.
//!
//! What it leaves to others: the books (`ledger`).

use access::{Permit, Write};
use model::{AccountId, Money, TenantId, Timestamp};
use store::{Row, Tx, params};

use crate::{
    Book, ChargeOrder, Charges, Error, Handle, Paging, Pay, Target, account,
    ledger::{self, Transfer},
    numbers,
    query::Query,
    tenant, words,
};

/// A payment that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payment {
    /// The name of the tenant.
    pub tenant: String,
    /// The account of that tenant; none: the tenant itself.
    pub account: Option<String>,
    /// How much; below zero: taken out.
    pub amount: Money,
    /// Of what kind, such as "cash"; at most 255 characters.
    pub kind: String,
    /// A remark; at most 255 characters.
    pub comment: String,
    /// Who says that it was paid, as the caller names them.
    pub operator: String,
    /// The address of that person, as the caller names it.
    pub ip_address: String,
    /// The same id again answers the payment of that time and moves no money.
    pub request_id: Option<String>,
}

/// A payment that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    /// Its number, from 1.
    pub id: u64,
    /// The balance before it.
    pub previous: Money,
    /// The balance after it.
    pub current: Money,
}

/// Which payments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PaymentFilter {
    /// Not before this instant.
    pub from: Option<Timestamp>,
    /// Not after this instant.
    pub to: Option<Timestamp>,
    /// Whose.
    pub target: Target,
    /// Only of these kinds; empty: all.
    pub kinds: Vec<String>,
}

/// A payment as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its number, from 1.
    pub id: u64,
    /// When it was made.
    pub at: Timestamp,
    /// The name of the tenant.
    pub tenant: String,
    /// The name of the account; none: the tenant itself.
    pub account: Option<String>,
    /// How much; below zero: taken out.
    pub amount: Money,
    /// Of what kind.
    pub kind: String,
    /// The remark.
    pub comment: String,
    /// Who said that it was paid.
    pub operator: String,
    /// The address of that person.
    pub ip_address: String,
}

const STEP: &str = "pay";

impl Handle {
    /// Pays into an account or a tenant. With a request id that was used for the same payment, it answers the
    /// payment of that time.
    ///
    /// # Errors
    /// Invalid: every field at fault, or [`Error::Overflow`]. `NotFound`: [`Error::TenantNotFound`],
    /// [`Error::AccountNotFound`]. Exists: [`Error::OtherRequest`].
    pub async fn pay(&self, permit: Permit<Pay>, payment: Payment) -> Result<Paid, Error> {
        words::check(|faults| {
            for (field, text) in [
                ("type", &payment.kind),
                ("comment", &payment.comment),
                ("operator_id", &payment.operator),
                ("ip_address", &payment.ip_address),
            ] {
                words::text(faults, field, text);
            }
            if let Some(id) = &payment.request_id {
                words::text(faults, "request_id", id);
                if id.is_empty() {
                    faults.add("request_id", "is empty", "an id, or none");
                }
            }
        })?;
        let pay = move |write: &mut Write<'_, '_>| write_payment(write, &payment);
        permit.write(&self.inner.store, pay).await
    }

    /// Lists payments. Whoever reaches over their own only sees those of accounts that they look after.
    ///
    /// # Errors
    /// The store's own.
    pub async fn payments(
        &self,
        permit: &Permit<Charges>,
        filter: PaymentFilter,
        paging: Paging<ChargeOrder>,
    ) -> Result<Vec<Receipt>, Error> {
        let mut query = Query::new();
        query.within("at", filter.from, filter.to);
        query.target(&filter.target);
        query.among("kind", &filter.kinds);
        query.own_money(permit.cover(), false);
        let end = query.end(&paging, "number", |order| match order {
            ChargeOrder::User => "operator",
            ChargeOrder::Time => "at",
            ChargeOrder::Kind => "kind",
            ChargeOrder::Amount => "amount",
        });
        let sql = format!(
            "SELECT number, at, tenant_name, account_name, amount, kind, comment, operator, ip_address \
             FROM payments {end}"
        );
        let values = query.values;
        let read = move |tx: &mut Tx<'_>| tx.rows(&sql, &values)?.iter().map(receipt).collect();
        permit.read(&self.inner.store, read).await
    }
}

fn receipt(row: &Row) -> Result<Receipt, Error> {
    Ok(Receipt {
        id: row.get(0)?,
        at: row.get(1)?,
        tenant: row.get(2)?,
        account: row.get(3)?,
        amount: row.get(4)?,
        kind: row.get(5)?,
        comment: row.get(6)?,
        operator: row.get(7)?,
        ip_address: row.get(8)?,
    })
}

fn write_payment(write: &mut Write<'_, '_>, payment: &Payment) -> Result<Paid, Error> {
    let tenant = tenant::find(write, &payment.tenant)?;
    let account = match &payment.account {
        Some(name) => Some(account::find(write, tenant.id, name)?),
        None => None,
    };
    let whose = account.as_ref().map_or_else(
        || format!("tenant {}", tenant.name),
        |account| format!("account {}", account.name),
    );
    write.about(format_args!("{} into {whose}", payment.amount));
    if let Some(id) = &payment.request_id
        && let Some(earlier) = by_request(write, id)?
    {
        write.about(format_args!("payment {} again", earlier.0));
        return same(write, earlier, payment, &tenant, account.as_ref());
    }
    let book = account
        .as_ref()
        .map_or(Book::Tenant(tenant.id), account::Brief::book);
    let previous = ledger::locked(write, &book)?.balance;
    let now = write.now();
    let transfer = Transfer {
        kind: "payment",
        from: Book::Outside,
        to: book,
        amount: payment.amount,
    };
    let transfers = ledger::post(write, &[transfer], now, STEP)?;
    let current = previous
        .checked_add(payment.amount)
        .ok_or(Error::Overflow { step: STEP })?;
    let number = numbers::next(write, "payment")?;
    write.execute(
        "INSERT INTO payments (number, transfer, at, tenant_id, tenant_name, account_id, account_name, amount, \
            previous, kind, comment, operator, ip_address, request_id) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            number,
            transfers.first().copied(),
            now,
            tenant.id,
            &tenant.name,
            account.as_ref().map(|account| account.id),
            account.as_ref().map(|account| account.name.clone()),
            payment.amount,
            previous,
            &payment.kind,
            &payment.comment,
            &payment.operator,
            &payment.ip_address,
            payment.request_id.clone()
        ],
    )?;
    Ok(Paid {
        id: u64::try_from(number).unwrap_or(0),
        previous,
        current,
    })
}

/// The payment that was made with this request id: its number and what it was.
fn by_request(tx: &mut Tx<'_>, id: &str) -> Result<Option<(u64, Row)>, Error> {
    let row = tx.row(
        "SELECT number, tenant_id, account_id, amount, previous, kind, comment FROM payments WHERE request_id = ?1",
        params![id],
    )?;
    let Some(row) = row else {
        return Ok(None);
    };
    Ok(Some((row.get(0)?, row)))
}

/// Answers a payment that was made already, where it is the same.
fn same(
    write: &mut Write<'_, '_>,
    (id, row): (u64, Row),
    payment: &Payment,
    tenant: &tenant::Brief,
    account: Option<&account::Brief>,
) -> Result<Paid, Error> {
    let other = || Error::OtherRequest {
        request_id: payment.request_id.clone().unwrap_or_default(),
    };
    let (its_tenant, its_account): (TenantId, Option<AccountId>) = (row.get(1)?, row.get(2)?);
    let (amount, previous): (Money, Money) = (row.get(3)?, row.get(4)?);
    let (kind, comment): (String, String) = (row.get(5)?, row.get(6)?);
    let is_same = its_tenant == tenant.id
        && its_account == account.map(|account| account.id)
        && amount == payment.amount
        && kind == payment.kind
        && comment == payment.comment;
    if !is_same {
        write.about(format_args!("payment {id} again, otherwise"));
        return Err(other());
    }
    let current = previous
        .checked_add(amount)
        .ok_or(Error::Row { what: "payment" })?;
    Ok(Paid {
        id,
        previous,
        current,
    })
}
