//! Reads a file as the caller.

use access::Permit;
use bytes::Bytes;

use crate::{FilePath, Handle, Read, Stream};

impl Handle {
    /// The bytes of a regular file from `offset` on, in chunks of at most 256 KiB. An offset behind the end
    /// gives nothing.
    ///
    /// The stream ends with an error once the session of the permit ends, and what cannot be read is an error
    /// of the stream: `NotFound`, `Denied`, `Invalid` where the path leads to something that is not a regular
    /// file, `Internal` where the file system fails, and as for [`Handle::home`].
    #[must_use]
    pub fn read(&self, permit: &Permit<Read>, path: &FilePath, offset: u64) -> Stream<Bytes> {
        self.for_user(permit, |account| self.node.read(account, path, offset))
    }
}
