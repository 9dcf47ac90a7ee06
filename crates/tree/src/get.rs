//! Reading one value.

use access::Permit;
use store::Tx;

use crate::{Entry, Error, Get, Handle, Key, record, rule};

impl Handle {
    /// Reads the value of a key; none where there is none.
    ///
    /// # Errors
    /// `Denied` where the caller may not read the key, whether or not it is there; the store's own.
    pub async fn get(&self, permit: &Permit<Get>, key: &Key) -> Result<Option<Entry>, Error> {
        let name = &permit.user()?.name;
        if !rule::may_read(permit.cover(), name, key.segments()) {
            let place = key.to_string();
            return Err(Error::NoRead { place });
        }
        let (key, mounts) = (key.clone(), self.mounts.clone());
        let read = move |tx: &mut Tx<'_>| {
            if let Some((mount, below)) = mounts.find(key.as_str()) {
                return Ok(mount.get(tx, below)?);
            }
            let row = record::read(tx, &key)?;
            Ok(row.and_then(|row| {
                let revision = row.revision;
                row.value.map(|value| Entry { value, revision })
            }))
        };
        permit.read(&self.store, read).await
    }
}
