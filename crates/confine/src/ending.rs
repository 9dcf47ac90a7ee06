//! Ending every process that a piece of work has left, however it hides.
//!
//! A descendant that has called setsid or forked twice comes back to the nearest subreaper, so a loop that
//! stops and kills descendants until none is left finds all of them. What it leaves to others: PID
//! namespaces, whose end does the same by itself, and cgroups ([`crate::cgroup`]).

use std::time::{Duration, Instant};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, waitpid},
    },
    unistd::Pid,
};

use crate::{Error, process};

/// Makes the present process the one to which orphans among its descendants come.
///
/// # Errors
/// The system refuses.
pub fn adopt_orphans() -> Result<(), Error> {
    nix::sys::prctl::set_child_subreaper(true).map_err(Error::errno("adopt orphans"))
}

/// Asks the system to kill the present process when its parent dies.
///
/// # Errors
/// The system refuses.
pub fn die_with_parent() -> Result<(), Error> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(Error::errno("die with the parent"))
}

/// Sends a signal to each process given; those that are gone already do not matter.
pub fn signal_all(pids: impl IntoIterator<Item = u32>, signal: Signal) {
    for pid in pids {
        if let Ok(pid) = i32::try_from(pid)
            && pid > 1
        {
            // ESRCH: it ended meanwhile, which is what is wanted.
            kill(Pid::from_raw(pid), signal).ok();
        }
    }
}

/// Kills all descendants of the present process, a subreaper, and waits for them. Gives how many are left
/// when `within` has passed (`now` reads a monotonic clock).
///
/// All are stopped before any is killed, so that a fork bomb cannot outrun the loop.
pub fn kill_descendants(within: Duration, now: impl Fn() -> Instant) -> usize {
    let own = std::process::id();
    let end = now() + within;
    loop {
        for _round in 0..64 {
            let running: Vec<u32> = process::descendants(own)
                .iter()
                .filter(|stat| !matches!(stat.state, 'T' | 't'))
                .map(|stat| stat.pid)
                .collect();
            if running.is_empty() {
                break;
            }
            signal_all(running, Signal::SIGSTOP);
        }
        let left: Vec<u32> = process::descendants(own).iter().map(|stat| stat.pid).collect();
        let count = left.len();
        signal_all(left, Signal::SIGKILL);
        let reaped = reap();
        if count == 0 || now() >= end {
            return count;
        }
        if reaped == 0 {
            pause();
        }
    }
}

/// Waits for every child that has ended; gives how many there were.
pub fn reap() -> usize {
    let mut count = 0;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(nix::sys::wait::WaitStatus::StillAlive) | Err(Errno::ECHILD) => return count,
            Ok(_) => count += 1,
            Err(Errno::EINTR) => {}
            Err(_) => return count,
        }
    }
}

/// Gives killed processes a moment to end.
pub fn pause() {
    std::thread::sleep(Duration::from_millis(2));
}
