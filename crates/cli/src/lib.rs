//! The command line's client side: a client of the wire and nothing else. It never opens the store.
//!
//! What it is for: the commands that a person gives to a running zone, and the story of the first run. What it
//! leaves to others: starting and stopping a server, and the configuration (crate `soke`).
//!
//! Path of a command: find the zone (`run/` in its data folder, or a saved login) -> connect -> renew the
//! session where it is about to end -> call -> print. Each failure is one line with the cause, one with the
//! cure, and an exit code by class.
//!
//! Invariants: no secret is taken as an argument or printed in a log; a session's file is readable for its
//! owner only; two commands that renew one session at once renew it once.

mod accounts;
mod args;
mod audit;
mod client;
mod error;
mod files;
mod jobs;
mod json;
mod link;
mod nc;
mod nodes;
mod payments;
mod pem;
mod place;
mod prices;
mod run;
mod services;
mod session;
mod sign_in;
mod status;
pub mod story;
mod terminal;
mod users;
mod wallets;

pub use args::{
    Account, Audit, AuditCommand, Basis, Charges, Command, Deploy, Form, Get, Jobs, Logs, Nc, Nodes,
    NodesCommand, OneJob, Pay, Payments, Price, Put, Run, Services, ServicesCommand, SignIn, Token,
    TokenCommand, User, Wallet,
};
pub use client::Surroundings;
pub use error::{Error, exit_code};
pub use link::SignInLink;
pub use place::{Listener, Listeners, write_private};

/// Does what a command asks and gives the exit code.
///
/// # Errors
/// The command failed; [`Error`] says why, what helps, and which exit code tells it.
pub async fn perform(command: Command, surroundings: &Surroundings) -> Result<u8, Error> {
    match command {
        Command::Run(what) => return Box::pin(run::run(surroundings, what)).await,
        Command::Audit(asked) => return audit::audit(surroundings, asked).await,
        Command::Deploy(what) => return services::deploy(surroundings, &what).await,
        Command::Services(asked) => services::services(surroundings, asked).await?,
        Command::SignIn(how) => sign_in::sign_in(surroundings, &how).await?,
        Command::SignOut => sign_in::sign_out(surroundings).await?,
        Command::Whoami(form) => sign_in::who_am_i(surroundings, form).await?,
        Command::Jobs(which) => jobs::list(surroundings, &which).await?,
        Command::Logs(which) => jobs::logs(surroundings, &which).await?,
        Command::Cancel(which) => jobs::cancel(surroundings, which).await?,
        Command::Get(which) => files::get(surroundings, &which).await?,
        Command::Put(what) => files::put(surroundings, &what).await?,
        Command::Wallet(command) => wallets::manage(surroundings, command).await?,
        Command::Account(command) => accounts::manage(surroundings, command).await?,
        Command::Pay(what) => payments::pay(surroundings, what).await?,
        Command::Price(command) => prices::manage(surroundings, command).await?,
        Command::Charges(which) => payments::charges(surroundings, &which).await?,
        Command::Payments(which) => payments::payments(surroundings, &which).await?,
        Command::Ledger(form) => payments::ledger(surroundings, form).await?,
        Command::Password => sign_in::password(surroundings).await?,
        Command::User(command) => users::manage(surroundings, command).await?,
        Command::Token(asked) => nodes::token(surroundings, asked).await?,
        Command::Nodes(asked) => nodes::nodes(surroundings, asked).await?,
        Command::Nc(asked) => nc::nc(surroundings, asked).await?,
        Command::Status(form) => status::show(surroundings, form).await?,
    }
    Ok(0)
}
