//! A helper process as a user, and the socket to it.
//!
//! The agent starts its own binary with a hidden subcommand; that process calls [`enter`] before anything
//! else, single-threaded, and then serves whatever it is for on the socket. What it leaves to others: what
//! is spoken on the socket. When the agent ends, the helper sees the end of the socket and must end too.

use std::{
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{Error, Plan, enter as steps, namespaces};

/// Starts `program` with `arguments` and one more argument, the plan; gives the process and the near end of
/// its socket. The far end is the helper's standard input until [`enter`] takes it.
///
/// The helper is not tied to the starting thread. Its end must be waited for by the caller.
///
/// # Errors
/// The system refuses the socket or the process.
pub fn spawn_as(plan: &Plan, program: &Path, arguments: &[&str]) -> Result<(Child, UnixStream), Error> {
    let (near, far) = UnixStream::pair().map_err(Error::step("make a socket pair"))?;
    let text = serde_json::to_string(plan).map_err(|source| Error::Form {
        what: "a plan",
        source,
    })?;
    let child = Command::new(program)
        .args(arguments)
        .arg(text)
        .env_clear()
        .envs(plan.environment())
        .current_dir("/")
        .stdin(OwnedFd::from(far))
        .stdout(Stdio::null())
        .spawn()
        .map_err(Error::path("start helper", program))?;
    Ok((child, near))
}

/// In the helper, first thing: becomes the worker of the plan that [`spawn_as`] gave as last argument, and
/// gives the far end of the socket. Standard input becomes `/dev/null`.
///
/// # Errors
/// The plan is not readable, or the system refuses a step; the process must then end.
pub fn enter(plan: &str) -> Result<(UnixStream, Plan), Error> {
    let plan: Plan = serde_json::from_str(plan).map_err(|source| Error::Form {
        what: "a plan",
        source,
    })?;
    steps::close_files()?;
    // A session of its own: a Ctrl-C at the agent's terminal is not for the helper.
    nix::unistd::setsid().map_err(Error::errno("make a session"))?;
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)
        .map_err(|errno| Error::step("take the socket")(errno.into()))?;
    let null = std::fs::File::open("/dev/null").map_err(Error::step("open /dev/null"))?;
    rustix::stdio::dup2_stdin(&null).map_err(|errno| Error::step("let go of the socket")(errno.into()))?;
    namespaces::mounts_only(&plan)?;
    steps::become_worker(&plan)?;
    Ok((UnixStream::from(socket), plan))
}
