//! `soke remove`: ends everything that a zone runs on this machine, and removes its folder. What one command makes, one
//! command takes away.
//!
//! Jobs and services outlive their server, so removing the folder alone would leave them behind. What it leaves to others:
//! stopping the server (`stop`), ending work (`stage`), and work on other machines.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use stage::{Observed, Stages};
use tasks::{Clock, Tasks};
use tokio::runtime::Runtime;

use crate::{
    failure::Failure,
    lock::{self, Lock},
    second, stop,
    wiring::PROGRAM,
};

/// Where the work of a machine lies in its folder.
const WORK: [&str; 2] = ["node/jobs", "node/services"];
/// How long work may take to end; it has graces of its own, and is killed after them.
const PATIENCE: Duration = Duration::from_secs(60);

/// Says why nothing was removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It was not confirmed.
    #[error("this ends all work of the zone on this machine and removes {} with all homes in it", .0.display())]
    Unconfirmed(PathBuf),
    /// There is nothing that looks like one.
    #[error("there is no zone in {}", .0.display())]
    NoZone(PathBuf),
    /// Something still runs.
    #[error("what runs in {} has not ended within a minute", .0.display())]
    Late(PathBuf),
    /// The folder stays.
    #[error("remove {}", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Stops the server, ends all work on this machine and removes the folder.
pub(crate) fn remove(data: &Path, confirmed: bool) -> Result<(), Failure> {
    let machines = [data.to_owned(), second::folder(data)];
    if !data.join("run").is_dir() {
        return Err(Error::NoZone(data.to_owned()).into());
    }
    if !confirmed {
        return Err(Error::Unconfirmed(data.to_owned()).into());
    }
    if lock::running(data).is_some() {
        stop::stop(data)?;
    }
    let lock = Lock::take(data)?;
    let runtime = Runtime::new().map_err(Failure::System)?;
    let ended = runtime.block_on(async {
        let tasks = Tasks::new();
        for folder in machines.iter().flat_map(|data| WORK.map(|work| data.join(work))) {
            end_all(folder, &tasks).await?;
        }
        tasks.stop(Duration::from_secs(1)).await;
        Ok::<_, Failure>(())
    });
    runtime.shutdown_background();
    ended?;
    drop(lock);
    let gone = fs::remove_dir_all(data);
    let failed = |source| Error::Folder {
        path: data.to_owned(),
        source,
    };
    Ok(gone.map_err(failed)?)
}

/// Jobs and services alike: their stages are named by ids of no matter what.
enum Anything {}

async fn end_all(folder: PathBuf, tasks: &Tasks) -> Result<(), Failure> {
    if !folder.is_dir() {
        return Ok(());
    }
    let parts = stage::Parts {
        tasks: tasks.clone(),
        clock: Clock::system(),
        program: PathBuf::from(PROGRAM),
        folder: folder.clone(),
        base: None,
    };
    let stages: Stages<Anything> = Stages::open(parts).await?;
    let running = || {
        let all = stages.observe().into_iter();
        all.filter(|(_id, seen)| matches!(seen, Observed::Starting | Observed::Running { .. }))
    };
    for (id, _seen) in running() {
        stages.end(id).await?;
    }
    let all_ended = async {
        while running().next().is_some() {
            stages.changed().await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, all_ended).await;
    Ok(in_time.map_err(|_elapsed| Error::Late(folder))?)
}
