//! What can be done with jobs, as the table of roles names it.
//!
//! What it leaves to others: who may do it (crate `access`).

use access::Action;

/// Submits a job.
#[derive(Debug, Clone, Copy)]
pub struct Submit;
/// Shows one job, and how it goes on.
#[derive(Debug, Clone, Copy)]
pub struct Get;
/// Lists jobs.
#[derive(Debug, Clone, Copy)]
pub struct List;
/// Ends a job.
#[derive(Debug, Clone, Copy)]
pub struct Cancel;
/// Reads the output of a job.
#[derive(Debug, Clone, Copy)]
pub struct Output;

impl Action for Submit {
    const NAME: &'static str = "jobs.submit";
    const WRITES: bool = true;
}

impl Action for Get {
    const NAME: &'static str = "jobs.get";
    const WRITES: bool = false;
}

impl Action for List {
    const NAME: &'static str = "jobs.list";
    const WRITES: bool = false;
}

impl Action for Cancel {
    const NAME: &'static str = "jobs.cancel";
    const WRITES: bool = true;
}

impl Action for Output {
    const NAME: &'static str = "jobs.output";
    const WRITES: bool = false;
}

/// The names of all actions of this slice.
pub const ACTIONS: &[&str] = &[Submit::NAME, Get::NAME, List::NAME, Cancel::NAME, Output::NAME];
