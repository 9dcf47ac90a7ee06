//! Several keys in one transaction, and a part of one value: all of it or nothing.

use std::collections::BTreeMap;

use access::{Cover, Permit, Write};
use serde_json::Value;

use crate::{
    Error, Handle, Key, Set, json_path, record, rule,
    write::{check_room, check_value},
};

/// The most keys of one transaction.
pub const MOST_STEPS: usize = 256;

/// What becomes of one key.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A value where there is none.
    Create(String),
    /// A value, whether or not there is one.
    Update(String),
    /// More text behind a value.
    Append(String),
    /// Parts of a JSON value by their paths; without a new value a part is taken away.
    Parts(BTreeMap<String, Option<Value>>),
    /// No value; none before is no fault.
    Remove,
}

/// The revision that a key must have for a transaction to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// The key. Its revision grows with the transaction, whether or not it is among the keys.
    pub key: Key,
    /// Its revision; 0 for one that was never written.
    pub revision: u64,
}

impl Handle {
    /// Makes all steps in one transaction, in the order of their keys; gives the new revision of the guard's key.
    ///
    /// # Errors
    /// As [`Handle::set`] for any of the keys, and then nothing is written; `Exists`, `NotFound` and `Invalid` as the
    /// steps themselves; `Conflict` where the guard's key has another revision; `Invalid` for more than 256 keys.
    pub async fn transact(
        &self,
        permit: &Permit<Set>,
        steps: BTreeMap<Key, Step>,
        guard: Option<Guard>,
    ) -> Result<Option<u64>, Error> {
        if steps.len() > MOST_STEPS {
            return Err(Error::TooManySteps { most: MOST_STEPS });
        }
        let mounts = self.mounts.clone();
        let write = move |write: &mut Write<'_, '_>| {
            let guarded = guard.as_ref().map(|guard| &guard.key);
            let keys: Vec<&Key> = steps.keys().chain(guarded).collect();
            let named: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
            write.about(named.join(", "));
            for key in &keys {
                let may = rule::may_write(write.cover(), &write.user()?.name, key.segments());
                if !may || mounts.find(key.as_str()).is_some() {
                    drop(write.deny());
                    return Err(Error::NoWrite { key: (*key).clone() });
                }
            }
            if let Some(guard) = &guard {
                check_guard(write, guard)?;
            }
            let mut new = None;
            for (key, step) in &steps {
                let revision = make(write, key, step)?;
                if guarded == Some(key) {
                    new = revision;
                }
            }
            if let (Some(guard), None) = (&guard, new) {
                let value = record::read(write, &guard.key)?.and_then(|row| row.value);
                let now = write.now();
                new = Some(record::write(write, &guard.key, value.as_deref(), now)?);
            }
            if let (Cover::Own(_), Some(key)) = (write.cover(), keys.first()) {
                check_room(write, key)?;
            }
            Ok(new)
        };
        permit.write(&self.store, write).await
    }

    /// Writes a part of a JSON value by its path; gives the key's new revision.
    ///
    /// # Errors
    /// As [`Handle::set`]; `NotFound` where there is no value; `Invalid` for a path that leads nowhere;
    /// `Precondition` where the value is no JSON.
    pub async fn set_part(
        &self,
        permit: &Permit<Set>,
        key: &Key,
        path: &str,
        value: Value,
    ) -> Result<u64, Error> {
        let parts = BTreeMap::from([(path.to_owned(), Some(value))]);
        self.change(permit, key, move |key, before| {
            after(key, &Step::Parts(parts.clone()), before)
        })
        .await
    }
}

fn check_guard(write: &mut Write<'_, '_>, guard: &Guard) -> Result<(), Error> {
    let actual = record::read(write, &guard.key)?.map_or(0, |row| row.revision);
    if actual == guard.revision {
        return Ok(());
    }
    Err(Error::Revision {
        key: guard.key.clone(),
        expected: guard.revision,
        actual,
    })
}

/// Makes one step; gives the new revision where something was written.
fn make(write: &mut Write<'_, '_>, key: &Key, step: &Step) -> Result<Option<u64>, Error> {
    let before = record::read(write, key)?.and_then(|row| row.value);
    if before.is_none() && *step == Step::Remove {
        return Ok(None);
    }
    let value = after(key, step, before)?;
    let now = write.now();
    Ok(Some(record::write(write, key, value.as_deref(), now)?))
}

/// The value that a step makes of the one before; none: it is removed.
fn after(key: &Key, step: &Step, before: Option<String>) -> Result<Option<String>, Error> {
    let missing = || Error::NotFound { key: key.clone() };
    let value = match step {
        Step::Remove => return Ok(None),
        Step::Create(_) if before.is_some() => return Err(Error::Exists { key: key.clone() }),
        Step::Create(value) | Step::Update(value) => value.clone(),
        Step::Append(more) => before.ok_or_else(missing)? + more,
        Step::Parts(parts) => {
            let before = before.ok_or_else(missing)?;
            let mut whole: Value =
                serde_json::from_str(&before).map_err(|_fault| Error::NotJson { key: key.clone() })?;
            for (path, value) in parts {
                json_path::write(&mut whole, path, value.clone()).map_err(|fault| Error::Path {
                    key: key.clone(),
                    fault,
                })?;
            }
            whole.to_string()
        }
    };
    check_value(key, &value)?;
    Ok(Some(value))
}
