//! `soke.agent.v1`: between the zone's server and the machines that are its nodes, both halves.
//!
//! What it is for: on the server the calls of nodes, the judge of who may have a link, and what slices need done on
//! nodes; on a machine ([`node`]) its keys, its join, the loop that keeps it one of the zone's, and the calls that ask
//! for work. What it leaves to others: every rule about nodes (`nodes`), who may do what (`access`), connections
//! (`rpc::link`), and the work.
//!
//! Request path on the server: `rpc` -> service here -> the connection's certificate ->
//! `Access::authenticate_node` -> `Access::permit_node` -> use case. `Join` alone has no certificate; its token is the
//! proof.
//!
//! Invariants: a machine shows its token to the authority that the token names and to nobody else; its private keys
//! never leave it; a node acts for itself only.

mod account;
mod fault;
mod job_form;
mod job_nodes;
mod judge;
mod linked_files;
mod machines;
pub mod node;
mod runs;
mod server;
mod service_form;
mod service_nodes;
mod tunnel;

use access::Access;
use rpc::link::Door;
use tonic::service::RoutesBuilder;
use wire::soke::agent::v1::node_service_server::NodeServiceServer;

pub use job_nodes::JobNodes;
pub use linked_files::LinkedFiles;
pub use machines::Machines;
pub use service_nodes::ServiceNodes;
pub use tunnel::{Tunnel, open as open_tunnel};

use judge::Known;
use server::Server;

/// The most bytes of one request of a machine; a longer one is refused before it is read.
const MOST_REQUEST: usize = 64 * 1024;

/// What the server's half is made of.
#[derive(Clone)]
pub struct Parts {
    /// Who callers are and what they may do.
    pub access: Access,
    /// The zone's machines.
    pub nodes: nodes::Handle,
}

/// Adds the server's half to the services of a listener.
pub fn add_to(routes: &mut RoutesBuilder, parts: Parts) {
    let Parts { access, nodes } = parts;
    let service = NodeServiceServer::new(Server { access, nodes });
    routes.add_service(service.max_decoding_message_size(MOST_REQUEST));
}

/// The entrance for the links of this zone's machines, which are found in `machines` from then on.
///
/// # Errors
/// Invalid when the zone's authority cannot be read, which does not happen.
pub fn door(access: &Access, machines: &Machines) -> Result<Door, rpc::Error> {
    let judge = Known {
        access: access.clone(),
        runs: machines.runs(),
    };
    Door::new(
        access.zone().ca_pem(),
        std::sync::Arc::new(judge),
        machines.links().clone(),
    )
}
