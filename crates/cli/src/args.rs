//! The client commands and their arguments, as the binary's command line takes them in.
//!
//! What it leaves to others: the commands that run or stop a server (crate `soke`), and doing anything.

mod money;

use std::path::PathBuf;

use clap::{Args, Subcommand};

pub use money::{Account, Basis, Charges, Pay, Payments, Price};

/// What a person may ask of a running zone.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Sign in with a one-time link or code, or with a password
    SignIn(SignIn),
    /// End this session everywhere
    SignOut,
    /// Show who is signed in
    Whoami(Form),
    /// Run a program as a job, show its output, and end with its exit code
    Run(Run),
    /// List jobs, the newest first
    Jobs(Jobs),
    /// Show a job's output
    Logs(Logs),
    /// End a job and everything it started
    Cancel(OneJob),
    /// Write a file of yours in the zone to standard output
    Get(Get),
    /// Put a file of this machine among your files in the zone
    Put(Put),
    /// Deploy a service from a manifest and wait until it is ready
    Deploy(Deploy),
    /// List services
    Services(Services),
    /// Make accounts, list them, and let users in
    #[command(subcommand)]
    Account(Account),
    /// Record a payment for an account (for administrators)
    Pay(Pay),
    /// Set and list prices
    #[command(subcommand)]
    Price(Price),
    /// List what work has cost
    Charges(Charges),
    /// List payments
    Payments(Payments),
    /// Show the balance of every book, and that together they are zero
    Ledger(Form),
    /// Show who did what, the newest first (for administrators)
    Audit(Audit),
    /// Set or change the password
    Password,
    /// Link wallets that sign in as you
    #[command(subcommand)]
    Wallet(Wallet),
    /// Make users and sign-in codes (for administrators)
    #[command(subcommand)]
    User(User),
    /// Make a token with which a machine can join (for administrators)
    Token(Token),
    /// List the machines of the zone (for administrators)
    Nodes(Nodes),
    /// Look after what LiteKube's own tools need (for administrators)
    #[command(subcommand)]
    Nc(Nc),
    /// Show how the zone is
    Status(Form),
}

/// What LiteKube's own tools need.
#[derive(Debug, Clone, Subcommand)]
pub enum Nc {
    /// Get a certificate for LiteKube's control service, good for a year, and put it where `ncadm` looks for it
    AdminCert {
        /// Where to put ca.pem, client.pem and client-key.pem; otherwise ~/.litekube/nc/certs/grpc
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}

/// Which token to make, or what else to do with tokens.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Token {
    /// The only name that the machine may have; otherwise any
    #[arg(long, default_value = "", value_name = "NAME")]
    pub name: String,
    /// How many machines may join with it
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub uses: u32,
    /// How long it is good
    #[arg(long, default_value_t = 15, value_name = "MINUTES")]
    pub minutes: u32,
    /// Write JSON, one object
    #[arg(long)]
    pub json: bool,
    /// What else to do
    #[command(subcommand)]
    pub command: Option<TokenCommand>,
}

/// What else can be done with tokens.
#[derive(Debug, Clone, Subcommand)]
pub enum TokenCommand {
    /// List tokens, the newest first
    List {
        /// Write JSON, one object per line
        #[arg(long)]
        json: bool,
    },
    /// End a token
    Revoke {
        /// Its id in the list
        id: String,
        /// How the answer is written
        #[command(flatten)]
        form: Form,
    },
}

/// What to do with machines.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Nodes {
    /// Write JSON, one object per line
    #[arg(long)]
    pub json: bool,
    /// What else to do
    #[command(subcommand)]
    pub command: Option<NodesCommand>,
}

/// What else can be done with machines.
#[derive(Debug, Clone, Subcommand)]
pub enum NodesCommand {
    /// Put a machine out of the zone; its name is never given again
    Remove {
        /// Its name
        name: String,
        /// How the answer is written
        #[command(flatten)]
        form: Form,
    },
}

/// How much of the audit trail.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Audit {
    /// The most deeds to show
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub most: u32,
    /// Write JSON, one object per line
    #[arg(long)]
    pub json: bool,
    /// What else to do
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
}

/// What else can be done with the audit trail.
#[derive(Debug, Clone, Subcommand)]
pub enum AuditCommand {
    /// Look over the whole trail: whether it is as it was sealed
    Verify {
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
}

/// What to deploy.
#[derive(Debug, Clone, Args)]
pub struct Deploy {
    /// The manifest; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub file: String,
    /// The machine that shall run it; otherwise any
    #[arg(long, default_value = "", value_name = "NAME")]
    pub node: String,
    /// How long to wait until it is ready
    #[arg(long, default_value_t = 60, value_name = "SECS")]
    pub wait: u64,
    /// Do not wait
    #[arg(long)]
    pub detach: bool,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// Which services, or what else to do with them.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Services {
    /// Also services that are stopped
    #[arg(long)]
    pub all: bool,
    /// Write JSON, one object per line
    #[arg(long)]
    pub json: bool,
    /// What else to do
    #[command(subcommand)]
    pub command: Option<ServicesCommand>,
}

/// What else can be done with services.
#[derive(Debug, Clone, Subcommand)]
pub enum ServicesCommand {
    /// Stop a service and everything that it started
    Stop {
        /// Its name, or the id of a service that you may stop
        name: String,
        /// How long to wait until it is stopped
        #[arg(long, default_value_t = 30, value_name = "SECS")]
        wait: u64,
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, Args)]
pub struct Form {
    /// Write JSON, one object
    #[arg(long)]
    pub json: bool,
}

/// How to sign in. Secrets are asked for, never taken as arguments: other users see those.
#[derive(Debug, Clone, Args)]
pub struct SignIn {
    /// Sign in with this user's password instead of a one-time link or code
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Sign in with a wallet that is linked to a user: shows the text that it signs and asks for the signature
    #[arg(long, value_name = "ADDRESS", conflicts_with = "user")]
    pub wallet: Option<String>,
    /// A zone on another machine: HOST:PORT
    #[arg(long, value_name = "HOST:PORT", requires = "ca")]
    pub server: Option<String>,
    /// The fingerprint of that zone's CA, as `soke up` prints it
    #[arg(long, value_name = "FINGERPRINT", requires = "server")]
    pub ca: Option<String>,
}

/// What to run.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// What to call the job; otherwise it is called after the program
    #[arg(long)]
    pub name: Option<String>,
    /// How many cores the job uses
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub cores: u32,
    /// The most memory, in MiB; otherwise the node's default
    #[arg(long, default_value_t = 0, value_name = "MIB")]
    pub memory: u64,
    /// The longest run, in seconds; otherwise the node's default
    #[arg(long, default_value_t = 0, value_name = "SECS")]
    pub time_limit: u64,
    /// Which node runs it: a name, or `any`; otherwise the machine of the zone itself, where your files are
    #[arg(long, default_value = "", value_name = "NODE")]
    pub node: String,
    /// The account that pays; otherwise your only one
    #[arg(long, default_value = "", value_name = "ACCOUNT", hide_default_value = true)]
    pub account: String,
    /// Where it runs, relative to your home on that node
    #[arg(long, default_value = "", value_name = "FOLDER")]
    pub folder: String,
    /// Show the job's number and leave it alone
    #[arg(long)]
    pub detach: bool,
    /// With --detach: write JSON
    #[arg(long, requires = "detach")]
    pub json: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// Which jobs.
#[derive(Debug, Clone, Args)]
pub struct Jobs {
    /// Only jobs that have not ended
    #[arg(long)]
    pub unfinished: bool,
    /// The most jobs to list
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub most: u32,
    /// Write JSON, one object per line
    #[arg(long)]
    pub json: bool,
}

/// Which output.
#[derive(Debug, Clone, Args)]
pub struct Logs {
    /// The job's number
    pub number: u32,
    /// The error output instead of the standard output
    #[arg(long)]
    pub errors: bool,
}

/// One job.
#[derive(Debug, Clone, Copy, Args)]
pub struct OneJob {
    /// The job's number
    pub number: u32,
    /// Write JSON, one object
    #[arg(long)]
    pub json: bool,
}

/// Which file.
#[derive(Debug, Clone, Args)]
pub struct Get {
    /// Its path, absolute or relative to your home in the zone
    pub path: String,
}

/// Which file goes where.
#[derive(Debug, Clone, Args)]
pub struct Put {
    /// The file on this machine; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub file: String,
    /// Where it goes, absolute or relative to your home in the zone; otherwise into your home, under its own name
    #[arg(value_name = "PATH")]
    pub path: Option<String>,
    /// Write JSON, one object
    #[arg(long)]
    pub json: bool,
}

/// What to do about wallets.
#[derive(Debug, Clone, Subcommand)]
pub enum Wallet {
    /// Show the text that a wallet signs, ask for its signature, and let it sign in as you from now on
    Add {
        /// The wallet's address: 0x and 40 hex digits
        address: String,
        /// What to call it
        #[arg(long, default_value = "wallet", value_name = "TEXT")]
        label: String,
    },
    /// List your wallets
    List,
    /// Take a wallet away; your other sessions end
    Remove {
        /// The wallet's address
        address: String,
    },
}

/// What to do about users.
#[derive(Debug, Clone, Subcommand)]
pub enum User {
    /// Make a user and show its one-time sign-in code
    Add {
        /// The name: a to z, 0 to 9 and -, beginning with a letter
        name: String,
        /// `admin` or `member`
        #[arg(long, default_value = "member")]
        role: String,
        /// The Unix account for the user's work, where the zone runs as root
        #[arg(long, default_value = "", value_name = "ACCOUNT")]
        unix_account: String,
    },
    /// List users
    List,
    /// Show a fresh one-time sign-in code for a user
    Code {
        /// The user
        name: String,
    },
    /// End every session of a user
    Revoke {
        /// The user
        name: String,
    },
}
