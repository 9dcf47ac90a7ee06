//! The files of a user on a node: where the home is, what a folder holds, what a file holds.
//!
//! What it is for: everything that touches a user's files is done in a process that runs as that user, so that
//! the system's own rules decide what the user may see. What it leaves to others: who may ask (`access`), as
//! whom a process runs and what it sees (`confine`), and how names and bytes are spoken of (the dialects).
//!
//! Request path: [`OnNode`] -> one process per user ([`LocalNode`]), asked
//! over a socket -> [`agent`] -> the file system.
//!
//! Invariants: no path is opened outside a user's process; only regular files are read and only folders
//! listed, so that nothing read can hang or act; nothing is held whole in memory; a stream ends with its
//! session, its reader, and the zone; a slow reader holds up nobody else.

mod connection;
mod entry;
mod error;
mod frame;
mod node;
mod path;

pub mod agent;

use futures::stream::BoxStream;

pub use entry::{Entry, EntryKind};
pub use error::Error;
pub use frame::Why;
pub use node::{Config, LocalNode, OnNode};
pub use path::{BadPath, FilePath};

/// Items as they arrive; an error is the last item.
pub type Stream<T> = BoxStream<'static, Result<T, Error>>;
