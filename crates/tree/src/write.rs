//! Writing: set, create, delete, and what they share.

use access::{Action, Cover, Permit, Write};

use crate::{Create, Delete, Error, Handle, Key, Set, record, record::Row, rule};

/// The most bytes of a value.
pub const MOST_VALUE: usize = 1024 * 1024;
/// The most keys that a user without a right over the zone may have used, deleted ones included.
pub const MOST_OWN_KEYS: u64 = 1_000;
/// The most bytes that the values of such a user may have together.
pub const MOST_OWN_BYTES: u64 = 16 * 1024 * 1024;

impl Handle {
    /// Writes a value, whether or not there is one; gives the key's new revision.
    ///
    /// # Errors
    /// `Invalid` for a value over 1 MiB or with the character NUL; `Denied` where the caller may not write the key
    /// or it belongs to a mount; `Exhausted` where the caller's room is used up; the store's own.
    pub async fn set(&self, permit: &Permit<Set>, key: &Key, value: &str) -> Result<u64, Error> {
        check_value(key, value)?;
        let value = value.to_owned();
        self.change(permit, key, move |_key, _before| Ok(Some(value.clone())))
            .await
    }

    /// Writes a value where there is none; gives the key's new revision.
    ///
    /// # Errors
    /// As [`Handle::set`]; `Exists` where there is a value.
    pub async fn create(&self, permit: &Permit<Create>, key: &Key, value: &str) -> Result<u64, Error> {
        check_value(key, value)?;
        let value = value.to_owned();
        self.change(permit, key, move |key, before| match before {
            None => Ok(Some(value.clone())),
            Some(_value) => Err(Error::Exists { key: key.clone() }),
        })
        .await
    }

    /// Removes a value; gives the key's new revision, which a later value goes on from.
    ///
    /// # Errors
    /// As [`Handle::set`]; `NotFound` where there is no value.
    pub async fn delete(&self, permit: &Permit<Delete>, key: &Key) -> Result<u64, Error> {
        self.change(permit, key, |key, before| match before {
            Some(_value) => Ok(None),
            None => Err(Error::NotFound { key: key.clone() }),
        })
        .await
    }

    /// Writes what `work` makes of the value before; the right is judged in the same transaction.
    pub(crate) async fn change<A, F>(&self, permit: &Permit<A>, key: &Key, work: F) -> Result<u64, Error>
    where
        A: Action,
        F: Fn(&Key, Option<String>) -> Result<Option<String>, Error> + Send + 'static,
    {
        let (key, mounts) = (key.clone(), self.mounts.clone());
        let write = move |write: &mut Write<'_, '_>| {
            write.about(&key);
            let name = &write.user()?.name;
            let may = rule::may_write(write.cover(), name, key.segments());
            if !may || mounts.find(key.as_str()).is_some() {
                // The refusal is told in this room's words; what access answers here only has it written down.
                drop(write.deny());
                return Err(Error::NoWrite { key: key.clone() });
            }
            let before = record::read(write, &key)?;
            let value = work(&key, before.and_then(|row: Row| row.value))?;
            let now = write.now();
            let revision = record::write(write, &key, value.as_deref(), now)?;
            if let Cover::Own(_) = write.cover() {
                check_room(write, &key)?;
            }
            Ok(revision)
        };
        permit.write(&self.store, write).await
    }
}

/// Passes where a value can be kept.
pub(crate) fn check_value(key: &Key, value: &str) -> Result<(), Error> {
    let what = if value.len() > MOST_VALUE {
        format!("has {} bytes, want at most {MOST_VALUE}", value.len())
    } else if value.contains('\0') {
        "holds the character NUL, want text without it".to_owned()
    } else {
        return Ok(());
    };
    let key = key.clone();
    Err(Error::Value { key, what })
}

/// Passes where the caller's own part of the tree is not over its limits, as it would be after this write.
pub(crate) fn check_room(write: &mut Write<'_, '_>, key: &Key) -> Result<(), Error> {
    let own = format!("users/{}", write.user()?.name);
    let (keys, bytes) = record::usage(write, &own)?;
    let (most, what) = if keys > MOST_OWN_KEYS {
        (MOST_OWN_KEYS, "keys")
    } else if bytes > MOST_OWN_BYTES {
        (MOST_OWN_BYTES, "bytes of values")
    } else {
        return Ok(());
    };
    let key = key.clone();
    Err(Error::Full { key, most, what })
}
