//! SCOW's doors get the zone's jobs, files and accounts.
//!
//! What it leaves to others: everything that is said at these doors (dialect `scow`), and who is let in (`access`).

use access::Access;
use tasks::{Clock, Tasks};

use crate::{config::Config, failure::Failure};

/// What the portal is served from, at its own door and at the native listener.
pub(crate) fn scow_portal(
    config: &Config,
    access: &Access,
    jobs: jobs::Handle,
    accounts: accounts::Handle,
    files: files::Handle,
    clock: &Clock,
) -> scow::Parts {
    scow::Parts {
        access: access.clone(),
        jobs,
        accounts,
        files,
        cluster: config.jobs.zone.cluster.clone(),
        clock: clock.clone(),
    }
}

/// Opens the listeners of the management side and of the portal.
pub(crate) async fn open_scow_doors(
    config: &Config,
    portal: scow::Parts,
    tasks: &Tasks,
) -> Result<scow::Handle, Failure> {
    let management = scow::Management {
        access: portal.access.clone(),
        accounts: portal.accounts.clone(),
        jobs: portal.jobs.clone(),
        cluster: portal.cluster.clone(),
        clock: portal.clock.clone(),
    };
    let handle = scow::start(scow::Doors {
        config: scow::Config {
            server: config.scow.server,
            portal: config.scow.portal,
            limits: rpc::Limits::default(),
        },
        portal,
        management,
        tasks: tasks.clone(),
    })
    .await?;
    Ok(handle)
}
