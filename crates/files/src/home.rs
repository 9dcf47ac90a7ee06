//! Tells where the caller's home is.

use access::Permit;

use crate::{Error, Handle, Home, account};

impl Handle {
    /// The path of the caller's home on the node, without links in it.
    ///
    /// # Errors
    /// `Denied` where the permit is nobody's; `Precondition` where the user cannot work on the node; `Unavailable` and `Deadline` where the node or
    /// the user's process does not answer; `Exhausted` where too much is open at once.
    pub async fn home(&self, permit: &Permit<Home>) -> Result<String, Error> {
        self.node.home(&account(permit)?).await
    }
}
