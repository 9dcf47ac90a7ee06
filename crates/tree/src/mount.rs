//! Trees of other rooms shown in this one, for reading.
//!
//! A room that owns rows which belong into the tree (a node's document, say) shows them through a mount; the binary
//! joins the two. Nothing is copied, so nothing can be out of date. What it leaves to others: writing, which goes
//! through the owner's own calls.

use std::{collections::BTreeMap, sync::Arc};

use store::Tx;

use crate::Entry;

/// A part of the tree that another room owns. It reads in the caller's transaction.
pub trait Mount: Send + Sync + 'static {
    /// The value at a key, without the mount's own name: `ada/doc` for `devices/ada/doc`.
    ///
    /// # Errors
    /// The store's own.
    fn get(&self, tx: &mut Tx<'_>, below: &str) -> Result<Option<Entry>, store::Error>;

    /// The names directly below a place, in any order; the empty text is the mount itself.
    ///
    /// # Errors
    /// The store's own.
    fn list(&self, tx: &mut Tx<'_>, below: &str) -> Result<Vec<String>, store::Error>;
}

/// The mounts by the first segment of their keys.
#[derive(Clone, Default)]
pub struct Mounts(BTreeMap<&'static str, Arc<dyn Mount>>);

impl Mounts {
    /// The same mounts and one more, under a first segment such as `devices`.
    #[must_use]
    pub fn with(mut self, name: &'static str, mount: impl Mount) -> Self {
        self.0.insert(name, Arc::new(mount));
        self
    }

    /// The mount that a place lies in, and the place within it.
    pub(crate) fn find<'a>(&self, place: &'a str) -> Option<(&Arc<dyn Mount>, &'a str)> {
        let (first, below) = place.split_once('/').unwrap_or((place, ""));
        Some((self.0.get(first)?, below))
    }

    /// The names of the mounts.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}
