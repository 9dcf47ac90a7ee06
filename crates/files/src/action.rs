//! The actions of this slice, as the table of roles and the audit trail name them.
//!
//! What it leaves to others: who may do them (`access`).

use access::Action;

/// Tells where the caller's home is.
#[derive(Debug, Clone, Copy)]
pub struct Home;
/// Lists a folder as the caller.
#[derive(Debug, Clone, Copy)]
pub struct List;
/// Reads a file as the caller.
#[derive(Debug, Clone, Copy)]
pub struct Read;

impl Action for Home {
    const NAME: &'static str = "files.home";
    const WRITES: bool = false;
}

impl Action for List {
    const NAME: &'static str = "files.list";
    const WRITES: bool = false;
}

impl Action for Read {
    const NAME: &'static str = "files.read";
    const WRITES: bool = false;
}

/// The names of all actions of this slice.
pub const ACTIONS: &[&str] = &[Home::NAME, List::NAME, Read::NAME];
