//! Carrying on what waits: jobs that get the price they lacked, and ended ones that are charged then.
//!
//! It is done in parts, each in a transaction of its own, so that however many wait nobody else waits long. A job takes the
//! first version that appeared after it was submitted, so it does not matter when its turn comes.
//! What it leaves to others: the charge itself (`settle`).

use access::{Permit, SystemPermit, Write};
use model::Timestamp;
use store::{Tx, params};

use crate::{
    Book, Error, Fetch, Handle, Inner,
    bill::{self, Bill, BillId, State},
    hold, ledger,
    price::Overflow,
    settle::{self, Booking},
};

/// How many bills are carried on in one transaction.
const PART: u32 = 500;

/// Which of the bills that wait, and after which of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiting {
    /// Only those that run where this price counts; none: all.
    pub(crate) path: Option<String>,
    /// Only those behind this one.
    pub(crate) after: Option<BillId>,
}

impl Handle {
    /// Prices and charges what waits, and tells how many jobs were charged since the last call.
    ///
    /// # Errors
    /// The store's own.
    pub async fn fetch(&self, permit: Permit<Fetch>) -> Result<u32, Error> {
        self.inner.carry_on(Waiting::default()).await?;
        let count = |write: &mut Write<'_, '_>| {
            write.lock_row("accounts_zone", "one", 1_i64.into())?;
            let row = write.row(
                "SELECT z.fetched_up_to, (SELECT COALESCE(MAX(b.bill), 0) FROM job_bills b) FROM accounts_zone z \
                 WHERE z.one = 1",
                &[],
            )?;
            let row = row.ok_or(Error::Row { what: "zone" })?;
            let (before, newest): (i64, i64) = (row.get(0)?, row.get(1)?);
            write.execute(
                "UPDATE accounts_zone SET fetched_up_to = ?1 WHERE one = 1",
                params![newest],
            )?;
            let new = newest - before;
            write.about(format_args!("{new} new jobs"));
            Ok(u32::try_from(new).unwrap_or(u32::MAX))
        };
        permit.write(&self.inner.store, count).await
    }
}

impl Inner {
    /// Carries on everything that waits from there on.
    ///
    /// # Errors
    /// The store's own; what was carried on before stays so.
    pub(crate) async fn carry_on(&self, mut waiting: Waiting) -> Result<(), Error> {
        let permit = SystemPermit::new("accounts.carry_on");
        loop {
            let (part, booking, now) = (waiting.clone(), self.booking(), self.clock.now());
            let carry = move |tx: &mut Tx<'_>| part_of(tx, &part, &booking, now);
            let last = permit.write(&self.store, carry).await?;
            if last.is_none() {
                return Ok(());
            }
            waiting.after = last;
        }
    }
}

/// Carries on the next part of what waits, and gives the last of it where there may be more.
pub(crate) fn part_of(
    tx: &mut Tx<'_>,
    waiting: &Waiting,
    booking: &Booking,
    now: Timestamp,
) -> Result<Option<BillId>, Error> {
    let part = bill::waiting(tx, waiting, PART)?;
    let is_whole = u32::try_from(part.len()).is_ok_and(|many| many == PART);
    let last = part.last().copied().filter(|_last| is_whole);
    for id in part {
        let mut bill = bill::locked(tx, id)?;
        let is_pinned = pin(tx, &mut bill)?;
        let is_charged = bill.state == State::Ended && settle::charge(tx, &bill, booking, now)?;
        if is_pinned && !is_charged {
            bill::write(tx, &bill)?;
        }
    }
    Ok(last)
}

/// Binds a bill to the prices that it lacked and that have appeared, and holds for it what it may cost then. Says
/// whether anything is new.
fn pin(tx: &mut Tx<'_>, bill: &mut Bill) -> Result<bool, Error> {
    let mut is_new = false;
    if bill.account_item.is_none()
        && let Some(price) = bill.place().first_account_price(tx, bill.tenant)?
    {
        let book = Book::Account(bill.account);
        // A price under which the job could cost more than can be kept is no price for it.
        let held = match hold::most(bill, &price) {
            Ok(most) => {
                let held = ledger::locked(tx, &book)?.held.checked_add(most);
                held.map(|held| (most, held))
            }
            Err(Overflow) => None,
        };
        if let Some((most, held)) = held {
            ledger::write_held(tx, &book, held)?;
            bill.hold = most;
            bill.account_item = Some(price.number);
            is_new = true;
        }
    }
    if bill.tenant_item.is_none()
        && let Some(price) = bill.place().first_tenant_price(tx)?
    {
        bill.tenant_item = Some(price.number);
        is_new = true;
    }
    Ok(is_new)
}
