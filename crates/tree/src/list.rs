//! Listing the names below a place.

use std::collections::BTreeSet;

use access::Permit;
use store::{Tx, params};

use crate::{Error, Handle, List, Prefix, record, rule};

/// The most names of one list.
const MOST: usize = 10_000;

impl Handle {
    /// Lists the names directly below a place, sorted by their bytes; an unknown place has none.
    ///
    /// # Errors
    /// `Denied` where the caller may not read everything below; `Exhausted` for more than 10,000 names; the
    /// store's own.
    pub async fn list(&self, permit: &Permit<List>, place: &Prefix) -> Result<Vec<String>, Error> {
        let name = &permit.user()?.name;
        if !rule::may_list(permit.cover(), name, place.segments()) {
            let place = place.as_str().to_owned();
            return Err(Error::NoRead { place });
        }
        let (place, mounts) = (place.as_str().to_owned(), self.mounts.clone());
        let read = move |tx: &mut Tx<'_>| {
            let mut names = match mounts.find(&place) {
                Some((mount, below)) => mount.list(tx, below)?.into_iter().collect(),
                None => stored(tx, &place)?,
            };
            if place.is_empty() {
                names.extend(mounts.names().map(str::to_owned));
            }
            if names.len() > MOST {
                let place = place.clone();
                return Err(Error::TooMany { place, most: MOST });
            }
            Ok(names.into_iter().collect())
        };
        permit.read(&self.store, read).await
    }
}

/// The names below a place: jumps from one to the next, so that what lies below them is not read.
fn stored(tx: &mut Tx<'_>, place: &str) -> Result<BTreeSet<String>, store::Error> {
    const BELOW: &str =
        "SELECT key FROM tree WHERE key >= ?1 AND key < ?2 AND value IS NOT NULL ORDER BY key LIMIT 1";
    const ALL: &str = "SELECT key FROM tree WHERE key >= ?1 AND value IS NOT NULL ORDER BY key LIMIT 1";
    let (mut from, to) = match place {
        "" => (String::new(), None),
        place => {
            let (from, to) = record::range(place);
            (from, Some(to))
        }
    };
    let skipped = if place.is_empty() { 0 } else { place.len() + 1 };
    let mut names = BTreeSet::new();
    while names.len() <= MOST {
        let row = match &to {
            Some(to) => tx.row(BELOW, params![from.as_str(), to.as_str()])?,
            None => tx.row(ALL, params![from.as_str()])?,
        };
        let Some(row) = row else { break };
        let key: String = row.get(0)?;
        let below = key.get(skipped..).unwrap_or_default();
        let name = below.split('/').next().unwrap_or_default().to_owned();
        from = if name.len() == below.len() {
            // The least text that follows this key: keys hold no control characters.
            format!("{key}\u{1}")
        } else {
            record::range(&key[..skipped + name.len()]).1
        };
        names.insert(name);
    }
    Ok(names)
}
