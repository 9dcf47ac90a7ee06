//! What this room does by itself: notes the time, and forgets tokens that ended long ago.
//!
//! What it leaves to others: everything that somebody asks for.

use std::{sync::Arc, time::Duration};

use access::SystemPermit;
use model::Span;
use store::{Tx, params};
use tokio_util::sync::CancellationToken;

use crate::{House, tokens::note_time};

/// How often the time is noted.
const ROUND: Duration = Duration::from_secs(600);
/// How long tokens that ended stay in the list.
const ENDED_TOKENS: Span = Span::from_secs(30 * 86_400);

pub(crate) async fn run(house: Arc<House>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ROUND) => {}
        }
        let now = house.time.now();
        let work = move |tx: &mut Tx<'_>| {
            tx.execute(
                "DELETE FROM join_tokens WHERE ends_at < ?1",
                params![now - ENDED_TOKENS],
            )?;
            note_time(tx, now)
        };
        if let Err(error) = SystemPermit::new("nodes.upkeep").write(&house.store, work).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the upkeep of nodes fails: trying again");
        }
    }
}
