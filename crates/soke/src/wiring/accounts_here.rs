//! The accounts slice over the zone's store.
//!
//! What it leaves to others: every rule about money (`accounts`).

use access::Access;
use store::Store;
use tasks::{Clock, Tasks};

use crate::{config::Config, failure::Failure};

/// Starts the accounts slice.
pub(crate) async fn accounts_here(
    config: &Config,
    store: &Store,
    access: &Access,
    clock: &Clock,
    tasks: &Tasks,
) -> Result<accounts::Handle, Failure> {
    let accounts = accounts::start(accounts::Parts {
        store: store.clone(),
        access: access.clone(),
        tasks: tasks.clone(),
        clock: clock.clone(),
        config: config.accounts.clone(),
    });
    Ok(accounts.await?)
}
