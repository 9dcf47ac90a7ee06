//! `soke stop`: asks the server of a data folder to end and waits until it has.
//!
//! What it leaves to others: what the server does about it (`up`).

use std::{
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::lock;

const STEP: Duration = Duration::from_millis(20);
/// Twice what the server gives itself.
const STEPS: u32 = 500;

/// Says why no server was stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no server runs on {}", .0.display())]
    NotRunning(PathBuf),
    #[error("signal process {pid}")]
    Signal {
        pid: i32,
        #[source]
        source: rustix::io::Errno,
    },
    #[error("process {0} has not ended within 10 seconds")]
    Late(i32),
}

/// Stops the server.
///
/// # Errors
/// There is none, it is not ours, or it does not end.
pub(crate) fn stop(data: &Path) -> Result<(), Error> {
    let not_running = || Error::NotRunning(data.to_owned());
    let pid = lock::running(data).ok_or_else(not_running)?;
    let process = Pid::from_raw(pid).ok_or_else(not_running)?;
    kill_process(process, Signal::TERM).map_err(|source| Error::Signal { pid, source })?;
    for _step in 0..STEPS {
        if lock::running(data).is_none() {
            return Ok(());
        }
        thread::sleep(STEP);
    }
    Err(Error::Late(pid))
}
