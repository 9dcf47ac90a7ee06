//! LiteKube's doors get the zone's machines, who may do what with them, and which of them have a link.
//!
//! What it leaves to others: everything that is said at these doors (dialect `litekube`).

use std::sync::Arc;

use access::{Access, Asked, Peer};
use agent::Machines;
use model::Name;
use tasks::Tasks;

use super::fresh_tls::{as_name, fresh_tls, names};
use crate::{config::Config, failure::Failure};

/// The protocol that LiteKube's clients speak.
const ALPN: [&[u8]; 1] = [b"h2"];
/// As whom callers act who show nothing, in a zone for trying clients out.
const STRANGER: &str = "stranger";

/// Opens the listeners of the bootstrap and the control service.
pub(crate) async fn open_litekube_doors(
    config: &Config,
    access: &Access,
    nodes: &nodes::Handle,
    machines: &Machines,
    tasks: &Tasks,
) -> Result<litekube::Handle, Failure> {
    let settings = &config.litekube;
    let told_host = told_host(config);
    let own = [
        as_name(settings.bootstrap),
        as_name(settings.control),
        Some(told_host.clone()),
        Some(nodes.server_address().to_string()),
    ];
    let names = names(config, own.into_iter().flatten());
    let tls = |asked| fresh_tls(access, names.clone(), &ALPN, asked, tasks);
    let stranger = match (config.test, STRANGER.parse::<Name>()) {
        (true, Ok(name)) => {
            let peer = Peer::new(None, "litekube");
            Some(access.admit_strangers(&name, &peer).await?)
        }
        (_, _) => None,
    };
    let machines = machines.clone();
    let handle = litekube::start(litekube::Parts {
        config: litekube::Config {
            bootstrap: settings.bootstrap,
            control: settings.control,
            numbering: settings.numbering,
            token_uses: settings.token_uses,
            told_host,
            network_port: settings.network_port,
            limits: rpc::Limits::default(),
        },
        access: access.clone(),
        nodes: nodes.clone(),
        presence: Arc::new(move |node| machines.is_present(node)),
        bootstrap_tls: tls(Asked::Welcome)?,
        control_tls: tls(Asked::Wanted)?,
        stranger,
        tasks: tasks.clone(),
    })
    .await?;
    Ok(handle)
}

/// Where clients are told to go: as set, else where the control service stands, else the zone's first further name.
fn told_host(config: &Config) -> String {
    let settings = &config.litekube;
    let standing = || as_name(settings.control);
    let known = settings.told_host.clone().or_else(standing);
    let known = known.or_else(|| config.native.hosts.first().cloned());
    known.unwrap_or_else(|| "127.0.0.1".to_owned())
}
