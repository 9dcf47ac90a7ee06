//! Lists a folder as the caller.

use access::Permit;

use crate::{Entry, FilePath, Handle, List, Stream};

impl Handle {
    /// The entries of a folder in bounded pages, in the order of the file system, without `.` and `..`.
    ///
    /// The stream ends with an error once the session of the permit ends, and what cannot be listed is an error
    /// of the stream: `NotFound`, `Denied`, `Invalid` where the path leads to no folder, and as for
    /// [`Handle::home`].
    #[must_use]
    pub fn list(&self, permit: &Permit<List>, path: &FilePath) -> Stream<Vec<Entry>> {
        self.for_user(permit, |account| self.node.list(account, path))
    }
}
