//! The arguments of the commands about money: accounts, payments, prices, charges, the ledger.
//!
//! What it leaves to others: doing anything.

use clap::{Args, Subcommand, ValueEnum};
use model::Money;

use super::Form;

/// What to do about accounts.
#[derive(Debug, Clone, Subcommand)]
pub enum Account {
    /// Make an account and its owner's membership (for administrators)
    Create {
        /// The name, like no other of the zone: A to Z, a to z, 0 to 9, _ . -
        name: String,
        /// The user who owns it; otherwise you
        #[arg(long, default_value = "", value_name = "USER", hide_default_value = true)]
        owner: String,
        /// The tenant that it is in
        #[arg(long, default_value = "", value_name = "TENANT", hide_default_value = true)]
        tenant: String,
        /// What to remember about it
        #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true)]
        comment: String,
        /// How the answer is written
        #[command(flatten)]
        form: Form,
    },
    /// List accounts
    List {
        /// Only those of this tenant
        #[arg(long, default_value = "", value_name = "TENANT", hide_default_value = true)]
        tenant: String,
        /// How the answer is written
        #[command(flatten)]
        form: Form,
    },
    /// Show an account and who is in it
    Show {
        /// Its name
        name: String,
        /// How the answer is written
        #[command(flatten)]
        form: Form,
    },
    /// Let a user run work that an account pays for
    AddUser {
        /// The account
        account: String,
        /// The user
        user: String,
        /// How the answer is written
        #[command(flatten)]
        form: Form,
    },
}

/// Which payment to record.
#[derive(Debug, Clone, Args)]
pub struct Pay {
    /// The account that the money is for
    pub account: String,
    /// How much: digits, with at most four decimals behind a point; a minus before it gives money back
    #[arg(allow_negative_numbers = true)]
    pub amount: Money,
    /// The name before is a tenant's: the money is for the tenant itself
    #[arg(long)]
    pub tenant: bool,
    /// What sort of payment it is
    #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true)]
    pub kind: String,
    /// What to remember about it
    #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true)]
    pub comment: String,
    /// A text of your choosing: the same payment under the same text is made once, however often you ask
    #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true)]
    pub request_id: String,
    /// How the answer is written
    #[command(flatten)]
    pub form: Form,
}

/// What to do about prices.
#[derive(Debug, Clone, Subcommand)]
pub enum Price {
    /// Set what an hour costs from now on (for administrators)
    Set {
        /// What it is for: CLUSTER.PARTITION, or CLUSTER.PARTITION.QOS
        path: String,
        /// What one hour of the basis costs, with at most four decimals
        #[arg(allow_negative_numbers = true)]
        price: Money,
        /// What the hours are of
        #[arg(long, value_enum, default_value_t = Basis::Cores)]
        basis: Basis,
        /// Only for accounts of this tenant
        #[arg(long, default_value = "", value_name = "TENANT", hide_default_value = true)]
        tenant: String,
        /// What to call this price; otherwise a name is made up
        #[arg(long, default_value = "", value_name = "ID", hide_default_value = true)]
        id: String,
        /// What to remember about it
        #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true)]
        description: String,
        /// How the answer is written
        #[command(flatten)]
        form: Form,
    },
    /// List the prices that hold, and how a sum comes from them
    List {
        /// What accounts of this tenant pay
        #[arg(long, default_value = "", value_name = "TENANT", hide_default_value = true)]
        tenant: String,
        /// Also prices that newer ones have taken the place of
        #[arg(long)]
        all: bool,
        /// Write JSON, one object per line
        #[arg(long)]
        json: bool,
    },
}

/// What a price is for, an hour of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Basis {
    /// One allotted core
    Cores,
    /// One GPU
    Gpus,
    /// One GPU, or as many cores as come with one, whichever is more
    GpusOrCores,
    /// One core, or as much memory as comes with one, whichever is more
    CoresOrMemory,
}

/// Which charges or payments.
#[derive(Debug, Clone, Args)]
pub struct Charges {
    /// Only those of this account
    #[arg(long, default_value = "", value_name = "ACCOUNT", hide_default_value = true)]
    pub account: String,
    /// Only those in this tenant
    #[arg(long, default_value = "", value_name = "TENANT", hide_default_value = true)]
    pub tenant: String,
    /// Only those for work of this user
    #[arg(long, default_value = "", value_name = "USER", hide_default_value = true)]
    pub user: String,
    /// Those of tenants instead of accounts: what they owe to the zone
    #[arg(long, conflicts_with_all = ["account", "user"])]
    pub of_tenants: bool,
    /// The most to list
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub most: u32,
    /// Write JSON, one object per line
    #[arg(long)]
    pub json: bool,
}

/// Which payments.
#[derive(Debug, Clone, Args)]
pub struct Payments {
    /// Only those for this account
    #[arg(long, default_value = "", value_name = "ACCOUNT", hide_default_value = true)]
    pub account: String,
    /// Only those in this tenant
    #[arg(long, default_value = "", value_name = "TENANT", hide_default_value = true)]
    pub tenant: String,
    /// Those for tenants themselves instead of accounts
    #[arg(long, conflicts_with = "account")]
    pub of_tenants: bool,
    /// The most to list
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub most: u32,
    /// Write JSON, one object per line
    #[arg(long)]
    pub json: bool,
}
