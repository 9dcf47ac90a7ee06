//! The gateway gets its certificate from access, fresh ones too, and the names under which the zone is reached.
//!
//! What it leaves to others: which services stand behind it.

use std::net::SocketAddr;

use access::Access;
use rpc::{TlsSource, link::Door};
use tasks::{Policy, Tasks};
use tonic::service::Routes;

use crate::{config::Config, failure::Failure};

/// Opens the native listener.
pub(crate) async fn open_front_door(
    config: &Config,
    access: &Access,
    routes: Routes,
    links: Door,
    tasks: &Tasks,
) -> Result<gateway::Handle, Failure> {
    let alpn = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut settings = access.server_tls(names(config), alpn)?;
    let tls = TlsSource::new(settings.borrow_and_update().clone());
    let source = tls.clone();
    let token = tasks.token();
    tasks.spawn("soke.certificate", Policy::MayEnd, async move {
        loop {
            tokio::select! {
                () = token.cancelled() => return,
                changed = settings.changed() => match changed {
                    Ok(()) => source.swap(settings.borrow_and_update().clone()),
                    Err(_access_has_stopped) => return,
                },
            }
        }
    });
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

/// The names that the certificate carries.
fn names(config: &Config) -> Vec<String> {
    let mut names = vec![config.zone.host.clone()];
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    let ip = config.native.listen.socket_address().ip();
    if !ip.is_unspecified() {
        names.push(ip.to_string());
    }
    names.extend(config.native.hosts.iter().cloned());
    names.sort();
    names.dedup();
    names
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
