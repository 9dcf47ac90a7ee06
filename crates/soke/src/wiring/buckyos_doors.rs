//! BuckyOS's doors get who may do what from access, and the zone's tree.
//!
//! What it leaves to others: everything that is said at these doors (dialect `buckyos`).

use access::Access;
use tasks::{Clock, Tasks};

use crate::{config::Config, failure::Failure};

/// Opens the listeners of `system_config` and of the node gateway.
pub(crate) async fn open_buckyos_doors(
    config: &Config,
    access: &Access,
    tree: tree::Handle,
    clock: &Clock,
    tasks: &Tasks,
) -> Result<buckyos::Handle, Failure> {
    let handle = buckyos::start(buckyos::Parts {
        config: buckyos::Config {
            system_config: config.buckyos.system_config,
            node_gateway: config.buckyos.node_gateway,
            ..buckyos::Config::default()
        },
        access: access.clone(),
        tree,
        hosts: std::iter::once(config.zone.host.clone())
            .chain(config.native.hosts.iter().cloned())
            .collect(),
        clock: clock.clone(),
        tasks: tasks.clone(),
    })
    .await?;
    Ok(handle)
}
