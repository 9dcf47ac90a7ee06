//! What this machine does for its zone over the link: one line for each room that works on nodes.
//!
//! The same on the zone's own machine and on one that joined. What it leaves to others: the work, and the link
//! (`agent`).

use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt as _, path::PathBuf, sync::Arc};

use rpc::Calls;
use tasks::{Clock, Tasks};
use tonic::service::Routes;

use super::{files_node, jobs_node, services_node, this_machine, tunnel_ports};
use crate::{config::Config, failure::Failure};

/// What a node's work is made of.
pub(crate) struct NodeParts<'a> {
    pub(crate) config: &'a Config,
    /// The node's name in the zone.
    pub(crate) name: &'a str,
    pub(crate) clock: &'a Clock,
    /// Owns what listens for the server.
    pub(crate) link: &'a Tasks,
    /// Owns the work.
    pub(crate) work: &'a Tasks,
}

/// The folder of this machine as a node; its keys and the records of its work lie there.
pub(crate) fn node_folder(config: &Config) -> PathBuf {
    config.data.join("node")
}

/// Everything that a node answers. Work of an earlier agent on this machine is found again first.
pub(crate) async fn node_work(parts: NodeParts<'_>) -> Result<Calls, Failure> {
    let folder = node_folder(parts.config);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(Failure::System)?;
    let machine = this_machine(parts.config, parts.work).await?;
    let files = files_node(&machine, parts.clock, parts.work);
    let jobs = jobs_node(&parts, &machine, files.clone()).await?;
    let services = services_node(&parts, &machine).await?;
    let mut work = Routes::builder();
    agent::node::add_jobs(&mut work, Arc::new(jobs), parts.link);
    agent::node::add_files(&mut work, Arc::new(files));
    agent::node::add_tunnels(&mut work, tunnel_ports(&services), parts.link);
    agent::node::add_services(&mut work, Arc::new(services), parts.link);
    Ok(agent::node::work(work))
}
