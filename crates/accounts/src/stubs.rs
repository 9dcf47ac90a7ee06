#![allow(
    unused_variables,
    clippy::unused_async,
    clippy::wildcard_imports,
    reason = "the inside is still to come"
)]
//! Calls whose inside is still to come.
//!
//! What it leaves to others: everything.

use access::Permit;
use model::{Timestamp, UserId};
use store::Tx;

use crate::*;

fn todo<T>(what: &'static str) -> Result<T, Error> {
    Err(Error::Unimplemented { what })
}

impl Handle {
    /// When the initialisation of SCOW's pages was ended; none: it is open.
    ///
    /// # Errors
    /// The store's own.
    pub async fn initialised(&self, permit: &Permit<Look>) -> Result<Option<Timestamp>, Error> {
        todo("initialised")
    }

    /// Ends the initialisation.
    ///
    /// # Errors
    /// Exists: [`Error::Initialised`].
    pub async fn complete_initialisation(&self, permit: Permit<Initialise>) -> Result<(), Error> {
        todo("complete_initialisation")
    }

    /// Makes an administrator of the zone and of the tenant `default`; the new person's tenant is not looked at.
    ///
    /// # Errors
    /// As [`Handle::create_user`]; Exists: [`Error::Initialised`].
    pub async fn create_first_admin(
        &self,
        permit: Permit<Initialise>,
        new: NewPerson,
    ) -> Result<Person, Error> {
        todo("create_first_admin")
    }

    /// Makes a user of a tenant, with a password.
    ///
    /// # Errors
    /// Invalid: every field at fault. `NotFound`: [`Error::TenantNotFound`]. Exists: [`Error::UserExists`].
    pub async fn create_user(&self, permit: Permit<Enrol>, new: NewPerson) -> Result<Person, Error> {
        todo("create_user")
    }

    /// Gives the user of this name.
    ///
    /// # Errors
    /// `NotFound`: [`Error::UserNotFound`].
    pub async fn person(&self, permit: &Permit<Look>, name: &str) -> Result<Person, Error> {
        todo("person")
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
        todo("labels")
    }

    /// Makes a tenant.
    ///
    /// # Errors
    /// Invalid: the name. Exists: [`Error::TenantExists`].
    pub async fn create_tenant(&self, permit: Permit<CreateTenant>, name: &str) -> Result<Tenant, Error> {
        todo("create_tenant")
    }

    /// Lists tenants by number. Whoever reaches over their own only sees the tenants that they look after.
    ///
    /// # Errors
    /// The store's own.
    pub async fn tenants(&self, permit: &Permit<Look>) -> Result<Vec<Tenant>, Error> {
        todo("tenants")
    }

    /// Makes an account with its owner in it.
    ///
    /// # Errors
    /// Invalid: every field at fault. `NotFound`: [`Error::TenantNotFound`], [`Error::UserNotFound`]. Exists:
    /// [`Error::AccountExists`].
    pub async fn create_account(&self, permit: Permit<Create>, new: NewAccount) -> Result<Account, Error> {
        todo("create_account")
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
        todo("accounts")
    }

    /// Takes a user into an account of the same tenant.
    ///
    /// # Errors
    /// `NotFound`: [`Error::TenantNotFound`], [`Error::UserNotFound`], [`Error::AccountNotFound`], also for who is not
    /// an administrator of the account. Exists: [`Error::MemberExists`].
    pub async fn add_user(&self, permit: Permit<Join>, new: NewMember) -> Result<(), Error> {
        todo("add_user")
    }

    /// Pays into an account or a tenant.
    ///
    /// # Errors
    /// Invalid: every field at fault, or [`Error::Overflow`]. `NotFound`: [`Error::TenantNotFound`],
    /// [`Error::AccountNotFound`]. Exists: [`Error::OtherRequest`].
    pub async fn pay(&self, permit: Permit<Pay>, payment: Payment) -> Result<Paid, Error> {
        todo("pay")
    }

    /// Lists payments.
    ///
    /// # Errors
    /// The store's own.
    pub async fn payments(
        &self,
        permit: &Permit<Charges>,
        filter: PaymentFilter,
        paging: Paging<ChargeOrder>,
    ) -> Result<Vec<Receipt>, Error> {
        todo("payments")
    }

    /// Sets a price, and prices the jobs that waited for one.
    ///
    /// # Errors
    /// Invalid: every field at fault. `NotFound`: [`Error::TenantNotFound`]. Exists: [`Error::PriceExists`].
    pub async fn add_price(&self, permit: Permit<Price>, new: NewPrice) -> Result<PriceItem, Error> {
        todo("add_price")
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
        todo("prices")
    }

    /// Lists charges. Whoever reaches over their own only sees what their own jobs cost, and all charges of accounts
    /// that they look after.
    ///
    /// # Errors
    /// The store's own.
    pub async fn charges(
        &self,
        permit: &Permit<Charges>,
        filter: ChargeFilter,
        paging: Paging<ChargeOrder>,
    ) -> Result<Vec<Charge>, Error> {
        todo("charges")
    }

    /// Adds up the charges that [`Handle::charges`] lists.
    ///
    /// # Errors
    /// Invalid: [`Error::Overflow`].
    pub async fn charges_total(
        &self,
        permit: &Permit<Charges>,
        filter: ChargeFilter,
    ) -> Result<Total, Error> {
        todo("charges_total")
    }

    /// Lists jobs that were charged, as far as [`Handle::charges`] reaches.
    ///
    /// # Errors
    /// Invalid: [`Error::Overflow`].
    pub async fn billed_jobs(
        &self,
        permit: &Permit<Charges>,
        filter: JobFilter,
        paging: Paging<JobOrder>,
    ) -> Result<BilledPage, Error> {
        todo("billed_jobs")
    }

    /// Prices and charges what waits, and tells how many jobs were charged since the last call.
    ///
    /// # Errors
    /// The store's own.
    pub async fn fetch(&self, permit: Permit<Fetch>) -> Result<u32, Error> {
        todo("fetch")
    }

    /// Shows all books, after comparing each with its entries.
    ///
    /// # Errors
    /// `NotFound` for who does not reach over the zone. Internal: [`Error::Unbalanced`].
    pub async fn ledger(&self, permit: &Permit<Charges>) -> Result<Ledger, Error> {
        todo("ledger")
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
        todo("usable_accounts")
    }

    /// How many jobs need attention.
    ///
    /// # Errors
    /// The store's own.
    pub async fn counts(&self) -> Result<Counts, Error> {
        todo("counts")
    }

    /// Admits a job in the transaction that submits it, and holds the most that it can cost. The same job again gets
    /// the same answer.
    ///
    /// # Errors
    /// `NotFound`: [`Error::AccountNotFound`]. Precondition: [`Error::Blocked`], [`Error::NotEnough`],
    /// [`Error::NoAccount`]. Invalid: [`Error::SeveralAccounts`], [`Error::Overflow`].
    pub fn admit(&self, tx: &mut Tx<'_>, asked: &Asked) -> Result<Admitted, Error> {
        todo("admit")
    }

    /// Settles a job in the transaction that writes its end: releases what was held and charges what it cost. A job
    /// that was settled before, or that nobody pays for, is left as it is.
    ///
    /// # Errors
    /// The store's own; never for money's sake: what cannot be charged waits.
    pub fn settle(&self, tx: &mut Tx<'_>, ended: &Ended) -> Result<(), Error> {
        todo("settle")
    }
}
