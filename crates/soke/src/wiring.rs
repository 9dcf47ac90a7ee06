//! What joins the rooms: the list of couplings, one file each.
//!
//! What it leaves to others: the order of start and stop (`up`), and every rule.

mod front_door;
mod zone_in_words;

pub(crate) use front_door::{open_front_door, reached_at};
pub(crate) use zone_in_words::zone_in_words;

/// The migrations of every room, in the order in which they are applied.
pub(crate) fn migrations() -> Vec<store::Migration> {
    access::MIGRATIONS.to_vec()
}
