//! Named values with revisions: the zone's configuration tree.
//!
//! Request path: a door reads a [`Key`] in any of its spellings, asks access for the permit of one of the
//! [`ACTIONS`], and calls the [`Handle`]; a write leaves its audit row and announces the key under the topic
//! [`TOPIC`] in the same transaction. What it leaves to others: protocols (the doors), what values mean (their
//! writers), and trees that belong to another room, which are joined as a [`Mount`].
//!
//! Invariants: one key has one normal form, and every check is made on that form; the revision of a key grows by
//! one with each write of it, deletion included, and never repeats; nobody reads or writes a key that the rule in
//! [`rule`] does not give them.

mod action;
mod append;
mod error;
mod get;
mod json_path;
mod key;
mod list;
mod mount;
mod record;
pub mod rule;
mod transact;
mod write;

use store::{Migration, Store};

pub use action::{ACTIONS, Create, Delete, Get, List, Set};
pub use error::Error;
pub use json_path::BadPath;
pub use key::{BadKey, Key, MOST_KEY, MOST_SEGMENTS, Prefix};
pub use mount::{Mount, Mounts};
pub use record::Entry;
pub use transact::{Guard, MOST_STEPS, Step};
pub use write::{MOST_OWN_BYTES, MOST_OWN_KEYS, MOST_VALUE};

/// The topic under which every write is announced; its keys are the keys of the tree.
pub const TOPIC: &str = "tree";

/// The steps that make this room's table.
pub const MIGRATIONS: &[Migration] = &[Migration {
    room: "tree",
    number: 1,
    sql: include_str!("../sql/0001_tree.sql"),
}];

/// What the room is given at its start.
pub struct Parts {
    /// The store, with [`MIGRATIONS`] applied.
    pub store: Store,
    /// Trees of other rooms, shown in this one.
    pub mounts: Mounts,
}

/// A handle on the tree; clones share it.
#[derive(Clone)]
pub struct Handle {
    store: Store,
    mounts: Mounts,
}

/// Opens the tree. It has no tasks of its own.
#[must_use]
pub fn start(parts: Parts) -> Handle {
    let Parts { store, mounts } = parts;
    Handle { store, mounts }
}
