//! What this door needs of the zone's services, in its own words.
//!
//! What it leaves to others: everything about them. Whoever implements it asks for the permits.

use access::{Actor, Peer};
use futures::future::BoxFuture;
use model::{NodeId, ServiceId};

/// A service as it can be reached: a port on the loopback address of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// The node that runs it.
    pub node: NodeId,
    /// The service.
    pub service: ServiceId,
    /// The port.
    pub port: u16,
}

/// Says why nothing was deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotDeployed {
    /// The caller may not deploy.
    NotAllowed,
    /// It failed, for this reason. The reason is shown to the caller and holds nothing that is not theirs to know.
    Failed(String),
}

/// Says why there is nothing to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoEndpoint {
    /// The caller has no service that runs, or may use none.
    NotDeployed,
    /// It cannot be told now; whoever says so has logged why.
    Failed,
}

/// Deploys, and knows what is deployed.
pub trait Services: Send + Sync + 'static {
    /// Deploys for the caller what a manifest at `url` describes, and waits until it answers.
    fn deploy<'a>(
        &'a self,
        actor: &'a Actor,
        peer: &'a Peer,
        url: &'a str,
    ) -> BoxFuture<'a, Result<(), NotDeployed>>;

    /// Where the caller's latest service is reached.
    fn endpoint<'a>(
        &'a self,
        actor: &'a Actor,
        peer: &'a Peer,
    ) -> BoxFuture<'a, Result<Endpoint, NoEndpoint>>;
}
