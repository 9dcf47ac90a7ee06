//! Where the present process of a service is reached, for its owner only.
//!
//! What it leaves to others: carrying requests there (`gateway`).

use access::Permit;

use crate::{
    Endpoint, Error, Handle, State, Use, Which,
    get::{find, show},
};

impl Handle {
    /// Tells where a service is reached.
    ///
    /// # Errors
    /// `NotFound`: there is none, or it is somebody else's. Precondition: its process does not answer now.
    pub async fn endpoint(&self, permit: &Permit<Use>, which: Which) -> Result<Endpoint, Error> {
        let service = show(&self.inner, find(&self.inner, permit, which).await?);
        match (service.state, service.node, service.port) {
            (State::Ready, Some(node), Some(port)) => Ok(Endpoint {
                service: service.id,
                node,
                port,
            }),
            (state, _, _) => Err(Error::NotReady {
                name: service.name.to_string(),
                state,
                reason: service.reason,
            }),
        }
    }
}
