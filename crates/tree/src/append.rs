//! Writing more text behind a value.

use access::Permit;

use crate::{Error, Handle, Key, Set, write::check_value};

impl Handle {
    /// Writes `more` behind the value that is there; gives the key's new revision.
    ///
    /// # Errors
    /// As [`Handle::set`]; `NotFound` where there is no value.
    pub async fn append(&self, permit: &Permit<Set>, key: &Key, more: &str) -> Result<u64, Error> {
        check_value(key, more)?;
        let more = more.to_owned();
        self.change(permit, key, move |key, before| {
            let before = before.ok_or_else(|| Error::NotFound { key: key.clone() })?;
            let value = before + &more;
            check_value(key, &value)?;
            Ok(Some(value))
        })
        .await
    }
}
