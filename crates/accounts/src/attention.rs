//! Says aloud which jobs wait for a price or for their charge, and counts them for whoever shows the zone's status; at
//! the start it carries on what was left lying.
//!
//! What it leaves to others: carrying them on (`carry`).

use std::sync::Arc;

use access::SystemPermit;
use store::{Tx, Watch};
use tasks::{Policy, Tasks};

use crate::{Error, Handle, Inner, bill, carry::Waiting};

/// How many jobs need somebody's attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Jobs of accounts, running or ended, for which there is no price.
    pub unpriced: u64,
    /// Jobs that have ended, have their prices, and could not be charged, because an amount cannot be kept.
    pub uncharged: u64,
}

impl Handle {
    /// How many jobs need attention.
    ///
    /// # Errors
    /// The store's own.
    pub async fn counts(&self) -> Result<Counts, Error> {
        count(&self.inner).await
    }
}

async fn count(inner: &Inner) -> Result<Counts, Error> {
    let read = |tx: &mut Tx<'_>| {
        let row = tx.row(
            "SELECT COUNT(*), COALESCE(SUM(CASE WHEN account_item IS NULL OR tenant_item IS NULL THEN 1 ELSE 0 END), 0) \
             FROM job_bills WHERE waits",
            &[],
        )?;
        let row = row.ok_or(Error::Row { what: "count" })?;
        let (all, unpriced): (u64, u64) = (row.get(0)?, row.get(1)?);
        Ok(Counts {
            unpriced,
            uncharged: all.saturating_sub(unpriced),
        })
    };
    SystemPermit::new("accounts.attention")
        .read(&inner.store, read)
        .await
}

/// Starts the watch over jobs that wait.
pub(crate) fn start(inner: Arc<Inner>, tasks: &Tasks) {
    let (waiting, stop) = (inner.store.watch(bill::WAITING), tasks.token());
    let watch = async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = run(&inner, waiting) => {}
        }
    };
    tasks.spawn("accounts.attention", Policy::StopAll, watch);
}

async fn run(inner: &Inner, mut waiting: Watch) {
    // What a price that was set just before the end of the last start did not reach.
    if let Err(error) = inner.carry_on(Waiting::default()).await {
        tracing::warn!(error = model::chain(&error), "jobs that wait for a price wait on");
    }
    let mut told = Counts::default();
    loop {
        waiting.changed().await;
        match count(inner).await {
            Ok(now) => {
                if is_news(now.unpriced, told.unpriced) {
                    tracing::warn!(
                        jobs = now.unpriced,
                        "no price is set where these jobs run: they are not charged until there is one"
                    );
                    told.unpriced = now.unpriced;
                }
                if is_news(now.uncharged, told.uncharged) {
                    tracing::warn!(
                        jobs = now.uncharged,
                        "these jobs have ended and cannot be charged: an amount is larger than can be kept"
                    );
                    told.uncharged = now.uncharged;
                }
                told = Counts {
                    unpriced: told.unpriced.min(now.unpriced),
                    uncharged: told.uncharged.min(now.uncharged),
                };
            }
            Err(error) => tracing::warn!(
                error = model::chain(&error),
                "jobs without a price are not counted"
            ),
        }
    }
}

/// The first is news, and then every doubling.
const fn is_news(now: u64, told: u64) -> bool {
    now > told && now >= told.saturating_mul(2)
}
