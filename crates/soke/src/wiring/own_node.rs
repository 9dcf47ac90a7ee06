//! The machine that the server runs on, as a node of its zone: it joins with a token that nobody sees, and dials the
//! native listener like any other.
//!
//! What it leaves to others: the link (`agent`) and the work (`node_work`).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use agent::{
    JobNodes,
    node::{Invitation, Member, Settings},
};
use model::{ErrorKind, NodeId};
use tasks::{Clock, Policy, Tasks};

use super::{NodeParts, node_folder, node_work};
use crate::{config::Config, failure::Failure, machine};

/// How long the start waits for the link to stand. It goes on without it: work waits then.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many names are tried where the one that is wanted is taken.
const MOST_NAMES: u32 = 9;

/// What the node is made of.
pub(crate) struct OwnNode<'a> {
    pub(crate) config: &'a Config,
    pub(crate) nodes: &'a nodes::Handle,
    pub(crate) jobs: &'a JobNodes,
    /// The native listener.
    pub(crate) server: SocketAddr,
    pub(crate) clock: &'a Clock,
    /// Owns the link.
    pub(crate) link: &'a Tasks,
    /// Owns the work.
    pub(crate) work: &'a Tasks,
}

/// Makes this machine a node of its own zone where it is none yet, and waits until it can take jobs.
pub(crate) async fn start_own_node(parts: OwnNode<'_>) -> Result<(), Failure> {
    let file = node_folder(parts.config).join("node.toml");
    let server = own_address(parts.server).to_string();
    let member = match come_back(parts.nodes, parts.clock, &file, &server).await? {
        Some(member) => member,
        None => join(&parts, &file, &server).await?,
    };
    let id: NodeId = member
        .node_id
        .parse()
        .map_err(|_bad_id| Failure::System(std::io::Error::other("the zone gave its own node no good id")))?;
    parts.nodes.set_own(id);
    let calls = node_work(NodeParts {
        config: parts.config,
        name: &member.name,
        clock: parts.clock,
        link: parts.link,
        work: parts.work,
    })
    .await?;
    let (clock, link) = (parts.clock.clone(), parts.link.clone());
    parts.link.spawn("soke.own node", Policy::MayEnd, async move {
        let (settings, machine) = (Settings::default(), machine::facts());
        let kept = agent::node::keep(file, machine, &settings, &calls, &clock, &link);
        if let Err(error) = kept.await {
            tracing::error!(
                error = model::chain(&error),
                "this machine is no node of its zone any more"
            );
        }
    });
    match tokio::time::timeout(PATIENCE, parts.jobs.until_present(id)).await {
        Ok(present) => Ok(present?),
        Err(_elapsed) => {
            tracing::warn!("this machine takes no work yet: its link to its own server does not stand");
            Ok(())
        }
    }
}

/// Goes on as the node that the file at `path` speaks of, with a fresh certificate: the one before may have ended while
/// the server was down. None where it was no node of this zone.
pub(crate) async fn come_back(
    nodes: &nodes::Handle,
    clock: &Clock,
    path: &Path,
    server: &str,
) -> Result<Option<Member>, Failure> {
    let Ok(member) = agent::node::read(path) else {
        return Ok(None);
    };
    let Ok(id) = member.node_id.parse() else {
        return Ok(None);
    };
    let request = agent::node::certificate_request(path)?;
    match nodes.renew_own(id, &request).await {
        Ok(certificate) => {
            agent::node::keep_certificate(path, &certificate, server, clock)?;
            Ok(Some(member))
        }
        // Another zone's, as where the store was replaced.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn join(parts: &OwnNode<'_>, file: &Path, server: &str) -> Result<Member, Failure> {
    agent::node::forget(file)?;
    let wanted = &parts.config.jobs.node.name;
    let mut refused = None;
    for name in names(wanted, parts.config.zone.owner.as_str()) {
        let invitation = Invitation {
            server: server.to_owned(),
            token: parts.nodes.invite_own().await?,
            name,
        };
        match agent::node::join(file, &invitation, parts.clock).await {
            Ok(member) => return Ok(member),
            Err(error) if error.kind() == ErrorKind::Exists => refused = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    Err(refused.map_or_else(
        || Failure::System(std::io::Error::other("no name for this machine as a node")),
        Failure::from,
    ))
}

/// The name that is wanted, and others like it: names are given once in a zone, to users and nodes alike. The owner's
/// is taken, though its user may not be made yet.
fn names(wanted: &str, owner: &str) -> Vec<String> {
    let short: String = wanted.chars().take(30).collect();
    let further = (1..MOST_NAMES).map(|number| format!("{short}-{number}"));
    let all = std::iter::once(wanted.to_owned()).chain(further);
    all.filter(|name| name != owner).collect()
}

/// How this machine reaches its own listener.
pub(crate) fn own_address(bound: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, bound.port())
}

#[cfg(test)]
mod tests {
    use super::{names, own_address};

    #[test]
    fn another_name_is_tried_where_one_is_taken_and_the_owners_is_none() {
        assert_eq!(
            names("far", "keeper").iter().take(2).collect::<Vec<_>>(),
            ["far", "far-1"]
        );
        assert_eq!(
            names("keeper", "keeper").first().map(String::as_str),
            Some("keeper-1")
        );
        let longest = names(&"a".repeat(32), "keeper");
        assert!(longest.iter().all(|name| name.len() <= 32), "{longest:?}");
    }

    #[test]
    fn a_listener_for_everybody_is_reached_over_loopback() {
        for (bound, reached) in [
            ("0.0.0.0:7443", "127.0.0.1:7443"),
            ("[::]:7443", "[::1]:7443"),
            ("192.0.2.7:1", "192.0.2.7:1"),
        ] {
            assert_eq!(own_address(bound.parse().unwrap()).to_string(), reached);
        }
    }
}
