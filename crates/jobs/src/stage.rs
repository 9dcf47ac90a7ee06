//! The hidden `soke stage`: one small tree of processes per job that outlives the server.
//!
//! Three steps of the same binary, each single-threaded, each doing what it can still do:
//! - *supervise* (started by the agent, a session of its own): holds the job's folder, makes the control
//!   group and the outer namespaces, and in the end writes `exit.json` durably.
//! - *keep* (first process of the PID namespace where there is one, else a subreaper): starts the job,
//!   keeps its time limit, measures it, ends everything it left.
//! - *run*: becomes the user, opens the output files as the user, and executes the job in its place.
//!
//! When *supervise* is killed, *keep* sees its pipe end and kills the job; when *keep* is killed, the kernel
//! or *supervise* kills the job. What it leaves to others: as whom and how apart (crate `confine`), what the
//! end means for the job (module `state`).

mod durable;
mod keep;
mod run;
mod spec;
mod supervise;
mod words;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

pub use spec::{Cause, Exit, Folder, Spec, Work};

/// The hidden subcommand that leads to [`main`]; the stage starts itself with it.
pub const SUBCOMMAND: &str = "stage";

/// What lists of processes call a stage, instead of the `/proc/self/exe` that it was started from.
pub(crate) const NAME: &str = "soke";

/// What the agent asks of the stage.
pub(crate) const SUPERVISE: &str = "supervise";
const KEEP: &str = "keep";
const RUN: &str = "run";

/// Runs one step of the stage; `arguments` are those after [`SUBCOMMAND`]. Call it before any thread starts.
#[must_use]
pub fn main(arguments: &[String]) -> ExitCode {
    let answer = match arguments {
        [step, folder] if step == SUPERVISE => supervise::supervise(folder.as_ref()),
        [step] if step == KEEP => keep::keep(),
        [step] if step == RUN => run::run(),
        _ => Err(Error::Words),
    };
    match answer {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The agent keeps standard error in the job's folder.
            writeln!(io::stderr(), "stage: {}", model::chain(&error)).ok();
            ExitCode::FAILURE
        }
    }
}

/// What can go wrong in a stage.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the words after `stage` are not known")]
    Words,
    #[error("set the job apart")]
    Confine(#[source] confine::Error),
    #[error("{step}")]
    Step {
        step: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("read {what}")]
    Form {
        what: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("{what} `{name}`: {why}")]
    Refused {
        what: &'static str,
        name: String,
        why: String,
    },
}

impl Error {
    fn step(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Error::Step { step, source }
    }

    fn errno(step: &'static str) -> impl FnOnce(nix::errno::Errno) -> Self {
        move |errno| Error::Step {
            step,
            source: errno.into(),
        }
    }
}

impl From<confine::Error> for Error {
    fn from(error: confine::Error) -> Self {
        Error::Confine(error)
    }
}
