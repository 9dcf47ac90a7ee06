//! Fetching a manifest from an address, without becoming somebody else's hand in this network.
//!
//! Only exact origins that the zone allows are asked; what a name leads to is judged at the moment of connecting, and
//! the connection goes to that very address; redirects are not followed; a manifest is at most 1 MiB and has 10 seconds.
//! What it leaves to others: which origins (the configuration), reading the manifest (module `manifest`).

mod address;
mod ask;
mod origin;

use std::time::Duration;

use model::ErrorKind;

use crate::Error;

pub use address::Network;
pub use origin::{BadOrigin, Origin};

use origin::Target;

/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Fetches the manifest at an address.
pub(crate) async fn fetch(sources: &[Origin], own: Network, url: &str) -> Result<String, Error> {
    let target = Target::read(url, sources)?;
    match tokio::time::timeout(PATIENCE, ask::ask(&target, own)).await {
        Ok(answer) => answer,
        Err(_elapsed) => Err(Error::Fetch {
            kind: ErrorKind::Deadline,
            why: format!("{} did not give it within 10 seconds", target.origin),
        }),
    }
}
