//! LiteKube's network controller: bootstrap tokens, certificates and the state of machines, as its clients know them.
//!
//! Two listeners: the bootstrap service (6439), over TLS, for machines that have nothing but a bootstrap token; and the
//! control service (6440), over TLS with a certificate of the zone's from both sides. Path of a request: `rpc` ->
//! service here -> who calls (bearer, or the connection's certificate) -> `Access::permit` or `Access::permit_node` ->
//! `nodes`. What it leaves to others: every rule about tokens, machines and addresses (`nodes`), who may do what
//! (`access`), and whether a machine has a link (whoever starts this).
//!
//! Codes, texts and spellings are those of the contract on the control API (sections 1 to 6); where the document, the
//! program and Soke differ, `docs/litekube.md` says so. Failures of a call's subject travel in the field `code` of an
//! answer whose status is OK, as LiteKube's do. A caller who is not known, or may not, gets a gRPC status.
//!
//! Invariants: a machine asks of itself and ends itself, and nobody else; nothing is made for a token that was never
//! given; without encryption nobody is heard unless the zone was made for trying clients out.

mod answer;
mod desk;
mod error;
mod numbering;
mod reflection;
mod services;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use access::{Access, Actor};
use model::NodeId;
use rpc::{CallLimits, Calls, Limits, ListenAddress, Listener, Security, Serving, TlsSource};
use tasks::{Stopped, Tasks};
use tonic::service::Routes;

pub use error::Error;
pub use numbering::Numbering;

use desk::{Desk, Told};
use services::{Bootstrap, Control};

/// Says where the doors stand and what they tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The address of the bootstrap service.
    pub bootstrap: ListenAddress,
    /// The address of the control service.
    pub control: ListenAddress,
    /// Which numbering of the messages is spoken.
    pub numbering: Numbering,
    /// How many machines may register with one bootstrap token, 1 to 1000: 1.
    pub token_uses: u32,
    /// The host or address under which clients reach these doors, as they are told.
    pub told_host: String,
    /// The port of the overlay network, as clients are told.
    pub network_port: u16,
    /// The bounds of each listener and its connections.
    pub limits: Limits,
}

/// Tells whether a machine has a link to this zone now.
pub type Presence = Arc<dyn Fn(NodeId) -> bool + Send + Sync>;

/// What the doors are made of.
pub struct Parts {
    /// Where they stand and what they tell.
    pub config: Config,
    /// Who may do what.
    pub access: Access,
    /// The zone's machines.
    pub nodes: nodes::Handle,
    /// Which of them have a link.
    pub presence: Presence,
    /// The settings of the bootstrap listener: a certificate is welcome.
    pub bootstrap_tls: TlsSource,
    /// The settings of the control listener: a certificate is wanted.
    pub control_tls: TlsSource,
    /// As whom callers from this machine act who show nothing and speak without encryption; none: they are not heard.
    /// Only zones that were made for trying clients out have somebody here.
    pub stranger: Option<Actor>,
    /// The owner of the listeners' tasks.
    pub tasks: Tasks,
}

/// One address that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The listener's name, as in the configuration.
    pub name: &'static str,
    /// The address with its real port.
    pub address: SocketAddr,
}

/// The open doors.
#[derive(Debug)]
pub struct Handle {
    bootstrap: Serving,
    control: Serving,
}

/// Opens the doors.
///
/// # Errors
/// `Precondition` where an address cannot be taken; `Invalid` where strangers would be heard at an address that others
/// than this machine can reach.
pub async fn start(parts: Parts) -> Result<Handle, Error> {
    let Config {
        bootstrap,
        control,
        numbering,
        token_uses,
        told_host,
        network_port,
        limits,
    } = parts.config;
    let open = async |name: &'static str, address: ListenAddress, tls| {
        let failed = |source| Error::Open { name, source };
        let security = if parts.stranger.is_some() {
            address.check_plaintext(false).map_err(failed)?;
            Security::TlsOrLocalPlain(tls)
        } else {
            Security::Tls(tls)
        };
        Listener::bind(address, security).await.map_err(failed)
    };
    // Both addresses are taken before either is served.
    let bootstrap = open("litekube.bootstrap", bootstrap, parts.bootstrap_tls).await?;
    let control = open("litekube.control", control, parts.control_tls).await?;
    let told = Told {
        host: told_host,
        bootstrap_port: bootstrap.address().port(),
        control_port: control.address().port(),
        network_port,
        numbering,
        token_uses,
    };
    let desk = Arc::new(Desk::new(
        parts.access,
        parts.nodes,
        parts.presence,
        parts.stranger,
        told,
    ));
    let serve = |listener, routes: Routes| {
        let calls = Calls::new(routes, CallLimits::default());
        rpc::serve(listener, calls, &parts.tasks, limits.clone())
    };
    Ok(Handle {
        bootstrap: serve(bootstrap, Bootstrap::routes(&desk, numbering)?),
        control: serve(control, Control::routes(&desk, numbering)?),
    })
}

impl Handle {
    /// Every address that is served, for the zone's own list of listeners.
    #[must_use]
    pub fn bound(&self) -> Vec<Bound> {
        let one = |name, serving: &Serving| Bound {
            name,
            address: serving.address(),
        };
        vec![
            one("litekube.bootstrap", &self.bootstrap),
            one("litekube.control", &self.control),
        ]
    }

    /// Closes the doors: no new connection and no new call; running calls have `grace` to end.
    pub async fn stop(&self, grace: Duration) -> Stopped {
        let (one, two) = tokio::join!(self.bootstrap.stop(grace), self.control.stop(grace));
        let late = one.late.into_iter().chain(two.late).collect();
        Stopped { late }
    }
}
