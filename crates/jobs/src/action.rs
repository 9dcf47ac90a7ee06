//! What can be done with jobs, as the table of roles names it.
//!
//! What it leaves to others: who may do it (crate `access`).

access::actions! {
    /// Submits a job.
    Submit "jobs.submit" true
    /// Shows one job, and how it goes on.
    Get "jobs.get" false
    /// Lists jobs.
    List "jobs.list" false
    /// Ends a job.
    Cancel "jobs.cancel" true
    /// Reads the output of a job.
    Output "jobs.output" false
}
