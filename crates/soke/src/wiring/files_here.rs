//! A node gets one hidden process of our own binary per user for files; the files slice gets the zone's own node.
//!
//! What it leaves to others: what those processes do (`files::agent`).

use std::{path::PathBuf, sync::Arc};

use access::Access;
use agent::LinkedFiles;
use confine::Confine;
use files::{Handle, LocalNode, Parts};
use store::Store;
use tasks::{Clock, Tasks};

use super::PROGRAM;
use crate::config::Config;

/// Starts no process yet: one comes when a user's files are asked for.
pub(crate) fn files_node(machine: &Confine, clock: &Clock, tasks: &Tasks) -> LocalNode {
    let config = files::Config::new(PathBuf::from(PROGRAM));
    LocalNode::new(config, machine.clone(), tasks, clock.clone())
}

/// Starts the files slice; files lie on the machine of the zone itself, reached over its link.
pub(crate) fn files_here(
    config: &Config,
    store: &Store,
    node: LinkedFiles,
    access: &Access,
    tasks: &Tasks,
) -> Handle {
    files::start(Parts {
        store: store.clone(),
        access: access.clone(),
        tasks: tasks.clone(),
        node: Arc::new(node),
        most_bytes: config.most_upload_bytes,
    })
}
