//! Stopping: what is wanted is durable, then answered.
//!
//! What it leaves to others: ending the process (module `reconcile`).

use access::{Permit, Scope};

use crate::{
    Error, Handle, Service, Stop, Which,
    record::{self, Record},
};

impl Handle {
    /// Stops a service: its process and everything that it started end, and its name is free again. It is answered
    /// when that is durable; [`Handle::settled`] waits for the end. One that is stopped already stays as it is.
    ///
    /// # Errors
    /// `NotFound`: there is none, or it is not within the permit. Else as access and the store say.
    pub async fn stop(&self, permit: Permit<Stop>, which: Which) -> Result<Service, Error> {
        let user = permit.user()?.id;
        let now = self.inner.clock.now();
        let stopped = permit.write(&self.inner.store, move |tx| {
            let missing = || Error::NotFound {
                what: which.to_string(),
            };
            let found = match &which {
                Which::Id(id) => record::by_id(tx, *id)?,
                Which::Named(name) => record::by_name(tx, user, name)?,
                Which::Latest => record::latest(tx, user)?,
            };
            let found = found.ok_or_else(missing)?;
            tx.about(format!("service {} of {}", found.name, found.user_name));
            tx.find(&Scope::User(found.user), &which)?;
            let stopped = record::happen(tx, found.id, |_record: &Record, standing| {
                if standing.stopped_at.is_none() {
                    standing.stop(now);
                }
            })?;
            Ok(stopped.ok_or_else(missing)?.0)
        });
        let stopped: Result<Record, Error> = stopped.await;
        Ok(stopped?.shown())
    }
}
