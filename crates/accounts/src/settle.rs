//! The end of a job: what was held is released and what it cost is charged, once.
//!
//! An end is never refused for money's sake. A job without a price, or whose charge cannot be kept, waits with what is
//! held for it, until a price appears or it is tried again.
//! What it leaves to others: who pays and how much is held (`hold`), prices (`item`), the books (`ledger`),
//! what waits (`carry`).

use model::{Money, Timestamp};
use store::{Tx, params};

use crate::{
    Book, Ended, Error, Handle,
    bill::{self, Bill, State},
    comment, item,
    ledger::{self, Transfer},
    numbers,
    price::{self, Overflow, Usage},
};

/// How charges of jobs are worded.
#[derive(Debug, Clone)]
pub(crate) struct Booking {
    pub(crate) kind: String,
    /// With `{{ field }}` in it.
    pub(crate) comment: String,
}

impl Handle {
    /// Settles a job in the transaction that writes its end: releases what was held and charges what it cost. A job
    /// that was settled before, or that nobody pays for, is left as it is.
    ///
    /// # Errors
    /// The store's own; never for money's sake: what cannot be charged waits.
    pub fn settle(&self, tx: &mut Tx<'_>, ended: &Ended) -> Result<(), Error> {
        let Some(found) = bill::by_key(tx, &ended.key)? else {
            return Ok(());
        };
        let mut bill = bill::locked(tx, found.id)?;
        if bill.state != State::Open {
            return Ok(());
        }
        bill.started_at = ended.started_at;
        bill.ended_at = Some(ended.ended_at);
        bill.node_list.clone_from(&ended.node_list);
        if ended.started_at.is_none() {
            release(tx, &bill)?;
            bill.state = State::Void;
            return bill::write(tx, &bill);
        }
        bill.state = State::Ended;
        let now = self.inner.clock.now();
        if !charge(tx, &bill, &self.inner.booking(), now)? {
            bill::write(tx, &bill)?;
        }
        Ok(())
    }
}

/// Takes back what is held for a job.
fn release(tx: &mut Tx<'_>, bill: &Bill) -> Result<(), Error> {
    let book = Book::Account(bill.account);
    let held = ledger::locked(tx, &book)?.held.checked_sub(bill.hold);
    let held = held.filter(|held| *held >= Money::ZERO);
    ledger::write_held(tx, &book, held.ok_or(Error::Row { what: "hold" })?)
}

/// Charges a job that has ended, where it has its prices and the charge can be kept; says whether it did.
pub(crate) fn charge(tx: &mut Tx<'_>, bill: &Bill, booking: &Booking, now: Timestamp) -> Result<bool, Error> {
    let Some(prices) = cost(tx, bill)? else {
        return Ok(false);
    };
    let (account_price, tenant_price) = prices;
    let (account, tenant) = (Book::Account(bill.account), Book::Tenant(bill.tenant));
    let transfers = [
        Transfer {
            kind: "account charge",
            from: account,
            to: Book::Earned(bill.tenant),
            amount: account_price,
        },
        Transfer {
            kind: "tenant charge",
            from: tenant,
            to: Book::EarnedZone,
            amount: tenant_price,
        },
    ];
    let numbers = match ledger::post(tx, &transfers, now, "charge the job") {
        Ok(numbers) => numbers,
        Err(Error::Overflow { .. }) => return Ok(false),
        Err(other) => return Err(other),
    };
    release(tx, bill)?;
    let number = numbers::next(tx, "bill")?;
    bill::write_charged(tx, bill, number, prices, now)?;
    let comment = comment::filled(&booking.comment, bill, number, prices);
    let payers = [Some(()), None];
    for ((transfer, amount), payer) in numbers.iter().zip([account_price, tenant_price]).zip(payers) {
        let id = numbers::next(tx, "charge")?;
        tx.execute(
            "INSERT INTO charges (number, transfer, at, tenant_id, tenant_name, account_id, account_name, user_id, \
                user_name, amount, kind, comment, bill) \
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                id,
                *transfer,
                now,
                bill.tenant,
                &bill.tenant_name,
                payer.map(|()| bill.account),
                payer.map(|()| bill.account_name.clone()),
                bill.user,
                &bill.user_name,
                amount,
                &booking.kind,
                &comment,
                number
            ],
        )?;
    }
    Ok(true)
}

/// What the account and the tenant pay for a job; nothing where a price lacks or cannot be kept.
fn cost(tx: &mut Tx<'_>, bill: &Bill) -> Result<Option<(Money, Money)>, Error> {
    let (Some(account), Some(tenant)) = (bill.account_item, bill.tenant_item) else {
        return Ok(None);
    };
    let (account, tenant) = (item::by_number(tx, account)?, item::by_number(tx, tenant)?);
    let usage = Usage {
        elapsed_secs: bill.billed_secs(),
        ..bill.usage
    };
    let prices = [account, tenant].map(|price| price::price(&bill.rule(&price), &usage));
    match prices {
        [Ok(account), Ok(tenant)] => Ok(Some((account, tenant))),
        [Err(Overflow), _] | [_, Err(Overflow)] => Ok(None),
    }
}
