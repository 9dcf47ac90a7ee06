//! The proxy reaches services through the agents' tunnels, those of the server's own machine too: whoever runs a
//! service says, at that moment, that a port is that service's.
//!
//! What it leaves to others: the tunnel (`agent`), carrying requests (`gateway`).

use std::sync::Arc;

use agent::Machines;
use futures::future::BoxFuture;
use gateway::{
    http_door::Endpoint,
    proxy::{ByteStream, Reach, Unreachable},
};
use tasks::Tasks;

/// The way to services on every machine of the zone.
pub(crate) fn reach_services(machines: &Machines, tasks: &Tasks) -> Arc<dyn Reach> {
    Arc::new(Tunnels {
        machines: machines.clone(),
        tasks: tasks.clone(),
    })
}

struct Tunnels {
    machines: Machines,
    tasks: Tasks,
}

impl Reach for Tunnels {
    fn reach(&self, endpoint: Endpoint) -> BoxFuture<'_, Result<Box<dyn ByteStream>, Unreachable>> {
        let link = self.machines.reach(endpoint.node);
        Box::pin(async move {
            let opened = agent::open_tunnel(link, endpoint.service, endpoint.port, &self.tasks).await;
            match opened {
                Ok(tunnel) => Ok(Box::new(tunnel) as Box<dyn ByteStream>),
                Err(status) => Err(Unreachable(format!("{:?}: {}", status.code(), status.message()))),
            }
        })
    }
}
