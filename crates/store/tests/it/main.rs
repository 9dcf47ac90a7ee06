//! The store's promises. Most hold on both engines and are tested on both by the same functions.

#![expect(clippy::unwrap_used, reason = "a test says by failing what was not so")]
#![expect(clippy::disallowed_methods, reason = "a test owns its tasks by their handles")]

mod bed;
mod file;
mod kill;
mod migrations;
mod server;
mod steps;
mod sync_order;
mod transactions;
mod values;
mod watching;
mod workload;
