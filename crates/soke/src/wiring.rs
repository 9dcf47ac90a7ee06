//! What joins the rooms: the list of couplings, one file each.
//!
//! What it leaves to others: the order of start and stop (`up`), and every rule.

mod files_here;
mod front_door;
mod jobs_here;
mod this_machine;
mod zone_in_words;

pub(crate) use files_here::{files_here, files_node};
pub(crate) use front_door::{open_front_door, reached_at};
pub(crate) use jobs_here::{Parts as JobsParts, jobs_here};
pub(crate) use this_machine::{PROGRAM, this_machine};
pub(crate) use zone_in_words::zone_in_words;

/// The migrations of every room, in the order in which they are applied.
pub(crate) fn migrations() -> Vec<store::Migration> {
    [access::MIGRATIONS, jobs::MIGRATIONS].concat()
}
