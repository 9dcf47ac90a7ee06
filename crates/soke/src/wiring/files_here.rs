//! The files slice gets this machine as its node: one hidden process of our own binary per user.
//!
//! What it leaves to others: what those processes do (`files::agent`).

use std::{path::PathBuf, sync::Arc};

use access::Access;
use confine::Confine;
use files::{Handle, LocalNode, Parts};
use tasks::{Clock, Tasks};

use super::PROGRAM;

/// Starts the files slice on this machine.
pub(crate) fn files_here(machine: &Confine, access: &Access, clock: &Clock, tasks: &Tasks) -> Handle {
    let config = files::Config::new(PathBuf::from(PROGRAM));
    let node = LocalNode::new(config, machine.clone(), tasks, clock.clone());
    files::start(Parts {
        access: access.clone(),
        tasks: tasks.clone(),
        node: Arc::new(node),
    })
}
