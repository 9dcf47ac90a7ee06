//! What can go wrong with money, and of which kind it is.
//!
//! What it leaves to others: codes of protocols (`wire`), logging (where the error is handled).

use access::Faults;
use model::{ErrorKind, Money, Timestamp};

use crate::Standing;

/// A failure of this slice.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request itself is wrong.
    #[error("check the request: {0}")]
    Invalid(Faults),
    /// There is no such tenant, or the actor may not know of it.
    #[error("find tenant `{tenant}`")]
    TenantNotFound {
        /// The name asked for.
        tenant: String,
    },
    /// There is no such user in this tenant, or the actor may not know of them.
    #[error("find user `{user}`")]
    UserNotFound {
        /// The name asked for.
        user: String,
    },
    /// There is no such account in this tenant, or the actor may not know of it or use it.
    #[error("find account `{account}`")]
    AccountNotFound {
        /// The name asked for.
        account: String,
    },
    /// The actor may not know of this.
    #[error("find {what}")]
    NotFound {
        /// What was asked for.
        what: &'static str,
    },
    /// The tenant is there already.
    #[error("create tenant `{tenant}`: there is one of this name")]
    TenantExists {
        /// Its name.
        tenant: String,
    },
    /// The user is there already, or the name was used before or is reserved.
    #[error(
        "create user `{user}`: the name was given before or is reserved, and names are never given twice"
    )]
    UserExists {
        /// The name asked for.
        user: String,
    },
    /// The account is there already, in this or another tenant.
    #[error("create account `{account}`: there is one of this name in the zone")]
    AccountExists {
        /// Its name.
        account: String,
    },
    /// The user is in the account already.
    #[error("add user `{user}` to account `{account}`: the user is in it already")]
    MemberExists {
        /// The account.
        account: String,
        /// The user.
        user: String,
    },
    /// A price of this id is there already.
    #[error("set price `{id}`: there is one of this id")]
    PriceExists {
        /// The id.
        id: String,
    },
    /// The initialisation is over.
    #[error("initialise: this was ended before")]
    Initialised {
        /// When it was ended.
        at: Timestamp,
    },
    /// The request id was used for another payment.
    #[error("pay: the request id `{request_id}` was used for another payment")]
    OtherRequest {
        /// The id.
        request_id: String,
    },
    /// An amount leaves the range of 64 bits of ten-thousandths.
    #[error("{step}: the amount is larger than can be kept")]
    Overflow {
        /// What was being done.
        step: &'static str,
    },
    /// The account may not run jobs.
    #[error("charge the job to account `{account}`: it is {}", .standing.why())]
    Blocked {
        /// The account.
        account: String,
        /// Why.
        standing: Standing,
    },
    /// The account has too little for this job beside what its other jobs may cost.
    #[error(
        "charge the job to account `{account}`: the job may cost {hold}, and {free} of the balance is free; \
         pay in, or ask for less time or less of the machine"
    )]
    NotEnough {
        /// The account.
        account: String,
        /// What the job may cost.
        hold: Money,
        /// What no other job may cost, down to the account's threshold; never negative.
        free: Money,
    },
    /// The user is in no account, and jobs need one here.
    #[error(
        "charge the job: user `{user}` is in no account, and this zone asks for one; ask an administrator"
    )]
    NoAccount {
        /// The user.
        user: String,
    },
    /// The user is in several accounts and named none.
    #[error("charge the job: name one of the accounts {}", .accounts.join(", "))]
    SeveralAccounts {
        /// Their names, in order.
        accounts: Vec<String>,
    },
    /// A book does not hold what its entries say.
    #[error("add up book `{book}`: it says {balance}, and its entries say {entries}")]
    Unbalanced {
        /// The book.
        book: String,
        /// What the book says.
        balance: Money,
        /// What its entries say, in ten-thousandths.
        entries: i128,
    },
    /// A row does not hold what was written into it.
    #[error("read a stored {what}: it is not well formed")]
    Row {
        /// Which part.
        what: &'static str,
    },
    /// The right is missing or the session is over.
    #[error("use the permit")]
    Access(#[from] access::Error),
    /// The store failed.
    #[error("use the store")]
    Store(#[from] store::Error),
}

impl Error {
    /// The kind of this failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Invalid(_) | Error::Overflow { .. } | Error::SeveralAccounts { .. } => ErrorKind::Invalid,
            Error::TenantNotFound { .. }
            | Error::UserNotFound { .. }
            | Error::AccountNotFound { .. }
            | Error::NotFound { .. } => ErrorKind::NotFound,
            Error::TenantExists { .. }
            | Error::UserExists { .. }
            | Error::AccountExists { .. }
            | Error::MemberExists { .. }
            | Error::PriceExists { .. }
            | Error::Initialised { .. }
            | Error::OtherRequest { .. } => ErrorKind::Exists,
            Error::Blocked { .. } | Error::NotEnough { .. } | Error::NoAccount { .. } => {
                ErrorKind::Precondition
            }
            Error::Unbalanced { .. } | Error::Row { .. } => ErrorKind::Internal,
            Error::Access(error) => error.kind(),
            Error::Store(error) => error.kind(),
        }
    }
}
