//! The task that seals audit rows within a second of their writing.
//!
//! What it leaves to others: the chain itself (`chain`).

use std::{sync::Arc, time::Duration};

use super::{Outcome, chain, insert};
use crate::{Error, house::House};

/// How long rows gather before they are sealed together.
const GATHER: Duration = Duration::from_millis(200);
/// How often the trail is looked at without a word from this process: for rows of other servers, and counts.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Seals until the house stops, and once more then.
pub(crate) async fn run(house: Arc<House>) {
    let stop = house.tasks.token();
    let mut failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = house.unsealed.notified() => tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(GATHER) => {}
            },
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
        match pass(&house, false).await {
            Ok(()) => failing = false,
            Err(error) => {
                // Once per outage: the next round comes soon.
                if !failing {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "audit rows wait to be sealed"
                    );
                }
                failing = true;
            }
        }
    }
    if let Err(error) = pass(&house, true).await {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "audit rows are sealed at the next start"
        );
    }
}

/// Writes the counts that are due and seals every row that waits.
async fn pass(house: &Arc<House>, last: bool) -> Result<(), Error> {
    let now = house.clock.now();
    let counts = house.anonymous.take(now, last);
    if !counts.is_empty() {
        let write = move |tx: &mut store::Tx<'_>| {
            for entry in &counts {
                insert(tx, entry, Outcome::Refused, now)?;
            }
            Ok::<_, Error>(())
        };
        house.store.write(write).await?;
    }
    while house.store.read(chain::waiting).await? {
        let inner = Arc::clone(house);
        house
            .store
            .write(move |tx| chain::lengthen(tx, &inner.seal, inner.clock.now()))
            .await?;
    }
    Ok(())
}
