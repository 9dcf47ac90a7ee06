//! Where the present process of a service is reached, for its owner only.
//!
//! What it leaves to others: carrying requests there (`gateway`).

use access::Permit;

use crate::{Endpoint, Error, Handle, State, Use, Which, get::find};

impl Handle {
    /// Tells where a service is reached.
    ///
    /// # Errors
    /// `NotFound`: there is none, or it is somebody else's. Precondition: its process does not answer now.
    pub async fn endpoint(&self, permit: &Permit<Use>, which: Which) -> Result<Endpoint, Error> {
        let record = find(&self.inner, permit, which).await?;
        let standing = record.standing;
        match (standing.state, standing.node, standing.port) {
            (State::Ready, Some(node), Some(port)) => Ok(Endpoint {
                service: record.id,
                node,
                port,
            }),
            (state, _, _) => Err(Error::NotReady {
                name: record.name.to_string(),
                state,
                reason: standing.reason,
            }),
        }
    }
}
