//! The files of a user on a node: where the home is, what a folder holds, what a file holds, and files put there.
//!
//! What it is for: everything that touches a user's files is done in a process that runs as that user, so that
//! the system's own rules decide what the user may see. What it leaves to others: who may ask (`access`), as
//! whom a process runs and what it sees (`confine`), and how names and bytes are spoken of (the dialects).
//!
//! Request path: door -> [`Handle`] with a permit -> [`OnNode`] -> one process per user ([`LocalNode`]), asked
//! over a socket -> [`agent`] -> the file system.
//!
//! Invariants: no path is opened outside a user's process; only regular files are read or replaced and only folders
//! listed, so that nothing read can hang or act; a file is put in its place whole or not at all; nothing is held whole in memory; a stream ends with its
//! session, its reader, and the zone; a slow reader holds up nobody else.

mod action;
mod connection;
mod entry;
mod error;
mod frame;
mod home;
mod list;
mod node;
mod path;
mod read;
mod session;
mod write;

pub mod agent;

use std::sync::Arc;

use access::{Access, Action, Permit};
use confine::Account;
use futures::stream::BoxStream;
use store::Store;
use tasks::Tasks;

pub use action::{ACTIONS, Home, List, Read, Write};
pub use entry::{Entry, EntryKind};
pub use error::Error;
pub use frame::Why;
pub use node::{Config, LocalNode, OnNode};
pub use path::{BadPath, FilePath};

/// Items as they arrive; an error is the last item.
pub type Stream<T> = BoxStream<'static, Result<T, Error>>;

/// What the slice is built from.
pub struct Parts {
    /// Keeps who wrote which file.
    pub store: Store,
    /// Says who a user is, and when a session ends.
    pub access: Access,
    /// Owns the streams.
    pub tasks: Tasks,
    /// Does the work.
    pub node: Arc<dyn OnNode>,
    /// The most bytes of a file that is put there.
    pub most_bytes: u64,
}

/// The use cases. Clones share everything.
#[derive(Clone)]
pub struct Handle {
    store: Store,
    access: Access,
    tasks: Tasks,
    node: Arc<dyn OnNode>,
    most_bytes: u64,
}

/// Puts the slice together; nothing runs yet.
#[must_use]
pub fn start(parts: Parts) -> Handle {
    Handle {
        store: parts.store,
        access: parts.access,
        tasks: parts.tasks.child(),
        node: parts.node,
        most_bytes: parts.most_bytes,
    }
}

/// As whom the work of a permit's actor is done.
fn account<A: Action>(permit: &Permit<A>) -> Result<Account, Error> {
    let user = permit.user()?;
    Ok(Account {
        name: user.name.to_string(),
        number: user.number,
        unix_name: user.unix_name.clone(),
        owner: permit.is_owner(),
    })
}
