//! What this machine offers for work as a user: probed once at start, in a process that ends afterwards.
//!
//! What it leaves to others: the probing (`confine`), and the work (`jobs`, `files`).

use std::path::{Path, PathBuf};

use confine::{Abilities, Confine};
use tasks::Tasks;

use crate::{config::Config, failure::Failure, hidden};

/// Our own binary, also after a newer one has taken its place in the file system.
pub(crate) const PROGRAM: &str = "/proc/self/exe";

/// Finds out what this machine offers.
pub(crate) async fn this_machine(config: &Config, tasks: &Tasks) -> Result<Confine, Failure> {
    let probe = || Abilities::probe(Path::new(PROGRAM), &[hidden::PROBE]);
    let abilities = tasks
        .blocking("soke.probe", probe)
        .await
        .map_err(|fault| Failure::System(std::io::Error::other(fault)))??;
    let settings = confine::Config {
        data: PathBuf::from(&config.data),
        first_uid: config.jobs.first_uid,
    };
    Ok(Confine::new(settings, abilities))
}
