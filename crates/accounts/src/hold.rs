//! What a job asks when it is submitted: who pays, and whether there is enough for the most that it can cost.
//!
//! What it leaves to others: its end (`settle`).

use model::{Money, Span, Timestamp, UserId};
use store::Tx;

use crate::{
    Error, Handle, account,
    bill::{self, Bill, Rounding},
    item::Pinned,
    ledger,
    price::{self, Overflow},
    words,
};

/// Names one run of a job once and for all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobKey {
    /// The cluster.
    pub cluster: String,
    /// The job's number in it.
    pub number: u32,
    /// Its place in an array; 0 where it is none.
    pub array_index: u32,
    /// Which try it is; 0 for the first.
    pub attempt: u32,
    /// When it was submitted.
    pub submitted_at: Timestamp,
}

/// What the partition of a job has in all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Partition {
    /// Its name.
    pub name: String,
    /// Its cores.
    pub cores: u64,
    /// Its GPUs.
    pub gpus: u64,
    /// Its memory in MB.
    pub memory_mb: u64,
}

/// A job that is to be submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The job.
    pub key: JobKey,
    /// Whose it is.
    pub user: UserId,
    /// The name of that user.
    pub user_name: String,
    /// The account that is to pay; none: the user's only one.
    pub account: Option<String>,
    /// The job's name.
    pub name: String,
    /// Where it is to run.
    pub partition: Partition,
    /// The quality of service; may be empty.
    pub qos: String,
    /// How many nodes it asks for.
    pub nodes: u32,
    /// How many cores it asks for, on all of them.
    pub cpus: u32,
    /// How many GPUs it asks for, on all of them.
    pub gpus: u32,
    /// How much memory it asks for, in MB.
    pub memory_mb: u64,
    /// How long it may run.
    pub time_limit: Span,
}

/// A job that may be submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The name of the account that pays; none: nobody does.
    pub account: Option<String>,
    /// What is held until it ends: the most that it can cost.
    pub hold: Money,
    /// Whether there is a price for it. Without one it is charged when the first appears.
    pub is_priced: bool,
}

/// A job that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The job.
    pub key: JobKey,
    /// When it started; none: it never did, and costs nothing.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Where it ran.
    pub node_list: String,
}

impl Handle {
    /// Admits a job in the transaction that submits it, and holds the most that it can cost. The same job again gets
    /// the same answer.
    ///
    /// # Errors
    /// `NotFound`: [`Error::AccountNotFound`]. Precondition: [`Error::Blocked`], [`Error::NotEnough`],
    /// [`Error::NoAccount`]. Invalid: [`Error::SeveralAccounts`], [`Error::Overflow`].
    pub fn admit(&self, tx: &mut Tx<'_>, asked: &Asked) -> Result<Admitted, Error> {
        if let Some(bill) = bill::by_key(tx, &asked.key)? {
            return Ok(admitted(&bill));
        }
        let config = &self.inner.config;
        let Some(account) = payer(tx, asked, config.required)? else {
            return Ok(Admitted {
                account: None,
                hold: Money::ZERO,
                is_priced: true,
            });
        };
        let rounding = Rounding {
            decimals: config.decimals,
            min_charge: config.min_charge,
        };
        let mut bill = Bill::new(asked, &account, rounding, self.inner.clock.now());
        let (account_price, tenant_price) = prices(tx, &bill)?;
        if let Some(price) = &account_price {
            let most = most(&bill, price).map_err(|Overflow| Error::Overflow { step: STEP })?;
            bill.hold = most;
            bill.account_item = Some(price.number);
        }
        bill.tenant_item = tenant_price.map(|price| price.number);
        let book = ledger::locked(tx, &account.book())?;
        let standing = account.standing(book.balance);
        if standing.is_blocked() {
            let account = account.name;
            return Err(Error::Blocked { account, standing });
        }
        let free = book.free(account.threshold);
        if i128::from(bill.hold.ten_thousandths()) > free {
            return Err(Error::NotEnough {
                account: account.name,
                hold: bill.hold,
                free: words::money(free.max(0), STEP)?,
            });
        }
        let held = book.held.checked_add(bill.hold);
        ledger::write_held(tx, &account.book(), held.ok_or(Error::Overflow { step: STEP })?)?;
        bill::insert(tx, &bill)?;
        Ok(admitted(&bill))
    }
}

const STEP: &str = "hold what the job may cost";

fn admitted(bill: &Bill) -> Admitted {
    Admitted {
        account: Some(bill.account_name.clone()),
        hold: bill.hold,
        is_priced: bill.is_priced(),
    }
}

/// Who pays for a job: the account that was named, or the only one that its user is in; none: nobody.
fn payer(tx: &mut Tx<'_>, asked: &Asked, is_required: bool) -> Result<Option<account::Brief>, Error> {
    let mut usable = account::of_user(tx, asked.user)?;
    if let Some(name) = &asked.account {
        let found = usable
            .into_iter()
            .find(|account| account.name.eq_ignore_ascii_case(name));
        return found.map(Some).ok_or_else(|| account::not_found(name));
    }
    match usable.len() {
        0 if is_required => Err(Error::NoAccount {
            user: asked.user_name.clone(),
        }),
        0 | 1 => Ok(usable.pop()),
        _ => Err(Error::SeveralAccounts {
            accounts: usable.into_iter().map(|account| account.name).collect(),
        }),
    }
}

/// What the account and its tenant pay for a job, as prices are now.
pub(crate) fn prices(tx: &mut Tx<'_>, bill: &Bill) -> Result<(Option<Pinned>, Option<Pinned>), Error> {
    let place = bill.place();
    Ok((place.account_price(tx, bill.tenant)?, place.tenant_price(tx)?))
}

/// The most that a job can cost at a price: all of its time, and not less than whatever ran at all costs.
pub(crate) fn most(bill: &Bill, price: &Pinned) -> Result<Money, Overflow> {
    let rule = bill.rule(price);
    let all = price::price(&rule, &bill.usage)?;
    let least = if rule.unit_price > Money::ZERO {
        rule.min_charge
    } else {
        Money::ZERO
    };
    Ok(all.max(least))
}
