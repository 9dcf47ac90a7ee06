//! Showing one job, and how many there are.
//!
//! What it leaves to others: how it goes on (module `watch`).

use access::{Action, Permit, Scope, SystemPermit};

use crate::{
    Error, Get, Handle, Inner, Job,
    record::{self, Record},
};

/// How many jobs there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Jobs that wait.
    pub pending: u64,
    /// Jobs that run.
    pub running: u64,
    /// Jobs that have ended.
    pub ended: u64,
}

impl Handle {
    /// Gives one job of this cluster.
    ///
    /// # Errors
    /// `NotFound`: there is none with this number, or it is not within the permit.
    pub async fn get(&self, permit: Permit<Get>, number: u32) -> Result<Job, Error> {
        Ok(find(&self.inner, &permit, number).await?.job)
    }

    /// Counts all jobs of this cluster, for `status`.
    ///
    /// # Errors
    /// The store's own.
    pub async fn counts(&self) -> Result<Counts, Error> {
        let cluster = self.inner.config.cluster.clone();
        let sql = "SELECT state, COUNT(*) FROM jobs WHERE cluster = ?1 GROUP BY state";
        let permit = SystemPermit::new("jobs.counts");
        let read = permit.read(&self.inner.store, move |tx| {
            let mut counts = Counts::default();
            for row in tx.rows(sql, &[cluster.as_str().into()])? {
                let (word, count): (String, u64) = (row.get(0)?, row.get(1)?);
                match word.as_str() {
                    "pending" => counts.pending += count,
                    "running" => counts.running += count,
                    _ => counts.ended += count,
                }
            }
            Ok::<_, Error>(counts)
        });
        read.await
    }
}

/// The job with this number, where the permit covers it.
pub(crate) async fn find<A: Action>(inner: &Inner, permit: &Permit<A>, number: u32) -> Result<Record, Error> {
    let cluster = inner.config.cluster.clone();
    let found = permit.read(&inner.store, move |tx| record::by_number(tx, &cluster, number));
    let record = found.await?.ok_or(Error::NotFound { number })?;
    if permit.covers(&Scope::User(record.job.user)) {
        Ok(record)
    } else {
        Err(Error::NotFound { number })
    }
}
