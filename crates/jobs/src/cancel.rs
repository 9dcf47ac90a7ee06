//! Ending a job: the wish is durable before it is answered; the reconciler and the stage carry it out.
//!
//! What it leaves to others: killing (crate `stage`).

use std::sync::Arc;

use access::{Permit, Scope};

use crate::{
    Cancel, Error, Handle, Job,
    record::{self, Record},
    state::Event,
};

impl Handle {
    /// Wants the end of a job and everything it started. A job that waits has ended when this answers; one
    /// that runs ends soon after, and asking again changes nothing.
    ///
    /// # Errors
    /// `NotFound`: there is none with this number, or it is not within the permit. Precondition: it has ended.
    pub async fn cancel(&self, permit: Permit<Cancel>, number: u32) -> Result<Job, Error> {
        let cluster = self.inner.config.cluster.clone();
        let now = self.inner.clock.now();
        let cover = *permit.cover();
        let admission = Arc::clone(&self.inner.admission);
        permit
            .write(&self.inner.store, move |tx| {
                tx.about(format!("job {number}"));
                let found = record::by_number(tx, &cluster, number)?;
                let covered = |record: &Record| cover.covers(&Scope::User(record.job.user));
                let record = found.filter(covered).ok_or(Error::NotFound { number })?;
                if record.standing.state.has_ended() {
                    return Err(Error::Ended { number });
                }
                record::happen(tx, admission.as_ref(), record.job.id, Event::Cancel, "", now)?;
                let record = record::by_number(tx, &cluster, number)?;
                record.map(|record| record.job).ok_or(Error::NotFound { number })
            })
            .await
    }
}
