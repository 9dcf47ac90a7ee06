//! The hidden `soke stage`: one small tree of processes per piece of work that outlives the server.
//!
//! Three steps of the same binary, each single-threaded, each doing what it can still do:
//! - *supervise* (started by the agent, a session of its own): holds the work's folder, makes the control
//!   group and the outer namespaces, and in the end writes `exit.json` durably.
//! - *keep* (first process of the PID namespace where there is one, else a subreaper): starts the work,
//!   keeps its time limit, measures it, ends everything it left.
//! - *run*: becomes the user, opens the output files as the user, and executes the work in its place.
//!
//! When *supervise* is killed, *keep* sees its pipe end and kills the work; when *keep* is killed, the kernel
//! or *supervise* kills the work. [`Stages`] is the agent's side: it starts stages, finds them again after a
//! restart, and reports how they stand. What it leaves to others: as whom and how apart (crate `confine`), what
//! the work is and what its end means (the slices `jobs` and `services`).

mod durable;
mod error;
mod keep;
mod run;
mod spec;
mod stages;
mod supervise;
mod words;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

pub use error::Error;
pub use spec::{Cause, Exit, Folder, Spec, Work};
pub use stages::{Observed, Parts, Stages};

/// The hidden subcommand that leads to [`main`]; the stage starts itself with it.
pub const SUBCOMMAND: &str = "stage";

/// What lists of processes call a stage, instead of the `/proc/self/exe` that it was started from.
const NAME: &str = "soke";

/// What the agent asks of the stage.
const SUPERVISE: &str = "supervise";
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
            // The agent keeps standard error in the work's folder.
            writeln!(io::stderr(), "stage: {}", model::chain(&error)).ok();
            ExitCode::FAILURE
        }
    }
}
