//! The nodes slice, the calls of machines, and the entrance for their links at the front door.
//!
//! What it leaves to others: what machines do for the zone.

use access::Access;
use agent::Machines;
use rpc::link::Door;
use store::Store;
use tasks::{Clock, Tasks};
use tonic::service::RoutesBuilder;

use crate::{config::Config, failure::Failure};

/// Starts the nodes slice.
pub(crate) async fn nodes_here(
    config: &Config,
    store: &Store,
    access: &Access,
    clock: &Clock,
    tasks: &Tasks,
) -> Result<nodes::Handle, Failure> {
    let parts = nodes::Parts {
        store: store.clone(),
        access: access.clone(),
        tasks: tasks.clone(),
        clock: clock.clone(),
        config: config.nodes.clone(),
    };
    Ok(nodes::start(parts).await?)
}

/// Adds what machines call, and gives the entrance for their links.
pub(crate) fn door_for_nodes(
    routes: &mut RoutesBuilder,
    access: &Access,
    nodes: &nodes::Handle,
    machines: &Machines,
) -> Result<Door, Failure> {
    let parts = agent::Parts {
        access: access.clone(),
        nodes: nodes.clone(),
    };
    agent::add_to(routes, parts);
    Ok(agent::door(access, machines)?)
}
