//! The gateway gets its certificate from access, fresh ones too, and the names under which the zone is reached.
//!
//! What it leaves to others: which services stand behind it.

use std::net::SocketAddr;

use access::{Access, Asked};
use rpc::link::Door;
use tasks::Tasks;
use tonic::service::Routes;

use super::fresh_tls::{as_name, fresh_tls, names};
use crate::{config::Config, failure::Failure};

/// Opens the native listener.
pub(crate) async fn open_front_door(
    config: &Config,
    access: &Access,
    routes: Routes,
    links: Door,
    tasks: &Tasks,
) -> Result<gateway::Handle, Failure> {
    let names = names(config, as_name(config.native.listen));
    let tls = fresh_tls(access, names, &[b"h2", b"http/1.1"], Asked::Nothing, tasks)?;
    let handle = gateway::start(gateway::Parts {
        config: gateway::Config {
            listen: config.native.listen,
            ..gateway::Config::default()
        },
        routes,
        tls,
        allowed_hosts: std::iter::once(config.zone.host.clone())
            .chain(config.native.hosts.iter().cloned())
            .collect(),
        links: Some(links),
        tasks: tasks.clone(),
    })
    .await?;
    Ok(handle)
}

/// Host and port under which clients reach the native listener.
pub(crate) fn reached_at(config: &Config, bound: SocketAddr) -> String {
    if !bound.ip().is_unspecified() {
        return bound.to_string();
    }
    match config.native.hosts.first() {
        Some(host) => format!("{host}:{}", bound.port()),
        None => SocketAddr::from(([127, 0, 0, 1], bound.port())).to_string(),
    }
}
