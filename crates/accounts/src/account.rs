//! Accounts: what users of a tenant share to pay for their jobs.
//!
//! What it leaves to others: who is in them (`member`), their money (`ledger`, `pay`), holds of jobs (`hold`).

use access::{Cover, Permit, Scope, Write};
use model::{AccountId, Money, TenantId, Timestamp, UserId};
use store::{Row, Tx, params};

use crate::{Book, Create, Error, Handle, Look, MemberRole, ledger, member, person, tenant, words};

/// An account that is to be made, as asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewAccount {
    /// 1 to 63 of `A-Z a-z 0-9 _ . -`; no other account of the zone has it, in whatever case.
    pub name: String,
    /// The name of its tenant.
    pub tenant: String,
    /// The name of its owner, a user of that tenant.
    pub owner: String,
    /// A remark; may be empty.
    pub comment: String,
}

/// What administrators decided about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Its balance decides.
    Normal,
    /// It is frozen.
    Frozen,
    /// An administrator blocked it.
    Blocked,
}

/// Whether an account may run jobs, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It may.
    Normal,
    /// It is frozen.
    Frozen,
    /// An administrator blocked it.
    Blocked,
    /// Its balance is at its threshold or below.
    BelowThreshold,
}

impl Standing {
    /// Whether the account may run no job.
    #[must_use]
    pub const fn is_blocked(self) -> bool {
        !matches!(self, Standing::Normal)
    }

    /// Why it may or may not, as the end of a sentence.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Standing::Normal => "in order",
            Standing::Frozen => "frozen; ask an administrator",
            Standing::Blocked => "blocked by an administrator; ask one",
            Standing::BelowThreshold => "blocked, because its balance is used up; pay in first",
        }
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// The name of its tenant.
    pub tenant: String,
    /// What administrators decided.
    pub state: State,
    /// Whether it may run jobs.
    pub standing: Standing,
    /// The name of its owner.
    pub owner: String,
    /// What the owner is called.
    pub owner_label: String,
    /// A remark.
    pub comment: String,
    /// What it has left: payments less charges.
    pub balance: Money,
    /// What its unfinished jobs may still cost; part of the balance.
    pub held: Money,
    /// It is blocked at this balance and below; none: its tenant's counts.
    pub block_threshold: Option<Money>,
    /// The threshold of its tenant.
    pub default_block_threshold: Money,
    /// How many users are in it.
    pub users: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Which accounts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountFilter {
    /// Only of the tenant of this name.
    pub tenant: Option<String>,
    /// Only the account of this name.
    pub name: Option<String>,
}

impl State {
    pub(crate) const ALL: [State; 3] = [State::Normal, State::Frozen, State::Blocked];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            State::Normal => "normal",
            State::Frozen => "frozen",
            State::Blocked => "blocked",
        }
    }
}

/// What a job and a payment need to know of an account.
#[derive(Debug, Clone)]
pub(crate) struct Brief {
    pub(crate) id: AccountId,
    pub(crate) name: String,
    pub(crate) tenant: TenantId,
    pub(crate) tenant_name: String,
    pub(crate) state: State,
    /// Its own threshold, or that of its tenant.
    pub(crate) threshold: Money,
    own_threshold: Option<Money>,
    default_threshold: Money,
    comment: String,
    made_at: Timestamp,
}

impl Brief {
    /// The account's book.
    pub(crate) const fn book(&self) -> Book {
        Book::Account(self.id)
    }

    /// Whether it may run jobs with this balance.
    pub(crate) fn standing(&self, balance: Money) -> Standing {
        match self.state {
            State::Frozen => Standing::Frozen,
            State::Blocked => Standing::Blocked,
            State::Normal if balance <= self.threshold => Standing::BelowThreshold,
            State::Normal => Standing::Normal,
        }
    }
}

const BRIEF: &str = "SELECT a.id, a.name, a.tenant_id, t.name, a.state, a.block_threshold, t.block_threshold, \
    a.comment, a.made_at FROM accounts a JOIN tenants t ON t.id = a.tenant_id";

fn brief(row: &Row) -> Result<Brief, Error> {
    let state: String = row.get(4)?;
    let state = State::ALL.into_iter().find(|known| known.word() == state);
    let (own_threshold, default_threshold): (Option<Money>, Money) = (row.get(5)?, row.get(6)?);
    Ok(Brief {
        id: row.get(0)?,
        name: row.get(1)?,
        tenant: row.get(2)?,
        tenant_name: row.get(3)?,
        state: state.ok_or(Error::Row { what: "account" })?,
        threshold: own_threshold.unwrap_or(default_threshold),
        own_threshold,
        default_threshold,
        comment: row.get(7)?,
        made_at: row.get(8)?,
    })
}

/// The account of this name, in whatever case.
pub(crate) fn by_name(tx: &mut Tx<'_>, name: &str) -> Result<Option<Brief>, Error> {
    // What cannot be written down names nothing.
    if name.contains('\0') {
        return Ok(None);
    }
    let row = tx.row(
        &format!("{BRIEF} WHERE a.folded = ?1"),
        params![name.to_ascii_lowercase()],
    )?;
    row.as_ref().map(brief).transpose()
}

/// The account of this name in a tenant.
///
/// # Errors
/// `NotFound`.
pub(crate) fn find(tx: &mut Tx<'_>, tenant: TenantId, name: &str) -> Result<Brief, Error> {
    let found = by_name(tx, name)?.filter(|account| account.tenant == tenant);
    found.ok_or_else(|| not_found(name))
}

/// Says that there is no such account.
pub(crate) fn not_found(name: &str) -> Error {
    let account = words::shown(name);
    Error::AccountNotFound { account }
}

/// The accounts that a user is in, by name.
pub(crate) fn of_user(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<Brief>, Error> {
    let sql = format!(
        "{BRIEF} JOIN account_members m ON m.account_id = a.id WHERE m.user_id = ?1 ORDER BY a.folded"
    );
    tx.rows(&sql, params![user])?.iter().map(brief).collect()
}

fn shown(tx: &mut Tx<'_>, account: Brief) -> Result<Account, Error> {
    let balance = ledger::balance(tx, &account.book())?;
    let (owner, owner_label) = member::owner(tx, account.id)?;
    Ok(Account {
        id: account.id,
        state: account.state,
        standing: account.standing(balance.balance),
        owner,
        owner_label,
        balance: balance.balance,
        held: balance.held,
        block_threshold: account.own_threshold,
        default_block_threshold: account.default_threshold,
        users: member::count(tx, account.id)?,
        created_at: account.made_at,
        name: account.name,
        tenant: account.tenant_name,
        comment: account.comment,
    })
}

impl Handle {
    /// Makes an account with its owner in it.
    ///
    /// # Errors
    /// Invalid: every field at fault. `NotFound`: [`Error::TenantNotFound`], [`Error::UserNotFound`]. Exists:
    /// [`Error::AccountExists`].
    pub async fn create_account(&self, permit: Permit<Create>, new: NewAccount) -> Result<Account, Error> {
        words::check(|faults| {
            words::name(faults, "account_name", &new.name);
            words::text(faults, "comment", &new.comment);
        })?;
        let make = move |write: &mut Write<'_, '_>| {
            write.about(format_args!(
                "account {} of {}",
                new.name,
                words::shown(&new.owner)
            ));
            let tenant = tenant::find(write, &new.tenant)?;
            let owner = person::in_tenant(write, &tenant, &new.owner)?;
            if by_name(write, &new.name)?.is_some() {
                let account = new.name.clone();
                return Err(Error::AccountExists { account });
            }
            let now = write.now();
            let id = AccountId::fresh(now);
            write.execute(
                "INSERT INTO accounts (id, name, folded, tenant_id, state, comment, made_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    id,
                    &new.name,
                    new.name.to_ascii_lowercase(),
                    tenant.id,
                    State::Normal.word(),
                    &new.comment,
                    now
                ],
            )?;
            ledger::open(write, &Book::Account(id))?;
            member::insert(write, id, &owner, MemberRole::Owner, now)?;
            let made = find(write, tenant.id, &new.name)?;
            shown(write, made)
        };
        permit.write(&self.inner.store, make).await
    }

    /// Lists accounts by name. Whoever reaches over their own only sees the accounts that they are in.
    ///
    /// # Errors
    /// The store's own.
    pub async fn accounts(
        &self,
        permit: &Permit<Look>,
        filter: AccountFilter,
    ) -> Result<Vec<Account>, Error> {
        let cover = *permit.cover();
        let read = move |tx: &mut Tx<'_>| {
            let all = match cover {
                Cover::Own(user) => of_user(tx, user)?,
                Cover::Zone => {
                    let rows = tx.rows(&format!("{BRIEF} ORDER BY a.folded"), &[])?;
                    rows.iter().map(brief).collect::<Result<Vec<Brief>, Error>>()?
                }
            };
            let is_same = |wanted: &Option<String>, name: &str| {
                wanted
                    .as_ref()
                    .is_none_or(|wanted| wanted.eq_ignore_ascii_case(name))
            };
            let fits = |account: &Brief| {
                is_same(&filter.tenant, &account.tenant_name) && is_same(&filter.name, &account.name)
            };
            let fitting: Vec<Brief> = all.into_iter().filter(fits).collect();
            fitting.into_iter().map(|account| shown(tx, account)).collect()
        };
        permit.read(&self.inner.store, read).await
    }

    /// The accounts that a user is in, by name, and whether each is blocked.
    ///
    /// # Errors
    /// `NotFound` where the permit does not cover the user.
    pub async fn usable_accounts(
        &self,
        permit: &Permit<Look>,
        user: UserId,
    ) -> Result<Vec<(String, bool)>, Error> {
        permit.find(&Scope::User(user), "this user")?;
        let read = move |tx: &mut Tx<'_>| {
            let mut usable = Vec::new();
            for account in of_user(tx, user)? {
                let balance = ledger::balance(tx, &account.book())?.balance;
                usable.push((account.name.clone(), account.standing(balance).is_blocked()));
            }
            Ok(usable)
        };
        permit.read(&self.inner.store, read).await
    }
}
