//! The services slice gets the zone's machines as its nodes, and a machine's tunnels lead to its services alone.
//!
//! What it leaves to others: what a service is (`services`), the link and the tunnels (`agent`).

use std::{path::PathBuf, sync::Arc};

use agent::{ServiceNodes, node::Ports};
use confine::Confine;
use futures::future::BoxFuture;
use model::ServiceId;
use services::agent::LocalNode;
use store::Store;
use tasks::{Clock, Tasks};

use super::{NodeParts, PROGRAM, node_folder};
use crate::{config::Config, failure::Failure};

/// Starts what does services on this machine; services of an earlier agent are found again.
pub(crate) async fn services_node(parts: &NodeParts<'_>, machine: &Confine) -> Result<LocalNode, Failure> {
    let jobs = &parts.config.jobs.node;
    let node = LocalNode::start(services::agent::Parts {
        tasks: parts.work.clone(),
        clock: parts.clock.clone(),
        confine: machine.clone(),
        program: PathBuf::from(PROGRAM),
        data: node_folder(parts.config),
        // The bounds of work on this machine hold for jobs and services alike.
        config: services::agent::Config {
            name: parts.name.to_owned(),
            grace: jobs.grace,
            processes: jobs.processes,
            open_files: jobs.open_files,
            file_bytes: jobs.file_bytes,
            control_groups: jobs.control_groups,
        },
    });
    Ok(node.await?)
}

/// Where tunnels to this machine may lead.
pub(crate) fn tunnel_ports(node: &LocalNode) -> Arc<dyn Ports> {
    Arc::new(OfServices(node.clone()))
}

struct OfServices(LocalNode);

impl Ports for OfServices {
    fn has(&self, service: ServiceId, port: u16) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(self.0.serves(service, port)))
    }
}

/// Starts the services slice.
pub(crate) async fn services_here(
    config: &Config,
    store: &Store,
    nodes: ServiceNodes,
    clock: &Clock,
    tasks: &Tasks,
) -> Result<services::Handle, Failure> {
    let (address, bits) = config.nodes.pool.network();
    let own_network = services::Network {
        address,
        bits: u32::from(bits),
    };
    let handle = services::start(services::Parts {
        store: store.clone(),
        tasks: tasks.clone(),
        clock: clock.clone(),
        nodes: Arc::new(nodes),
        config: services::Config {
            own_network,
            ..config.services.clone()
        },
    });
    Ok(handle.await?)
}
