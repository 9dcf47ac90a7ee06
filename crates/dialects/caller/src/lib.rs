//! Who makes a gRPC call, and whether they may: what every gRPC door begins with and is refused with.
//!
//! What it is for: from a call's metadata to a permit, and from an error of access to a status, in one place for all
//! doors. What it leaves to others: judging credentials and rights (`access`; nothing here compares a secret), and the
//! texts of a protocol that has its own (its dialect).

pub mod fault;

use access::{Access, Action, Actor, Credential, Peer, Permit, Secret};
use tonic::{Extensions, Status, metadata::MetadataMap};

/// Asks `access` on behalf of the calls of one door.
#[derive(Clone)]
pub struct Callers {
    access: Access,
    door: &'static str,
}

impl Callers {
    /// For the door of this name; the audit trail tells it.
    #[must_use]
    pub const fn new(access: Access, door: &'static str) -> Self {
        Self { access, door }
    }

    /// What judges.
    #[must_use]
    pub const fn access(&self) -> &Access {
        &self.access
    }

    /// Where a call comes from.
    #[must_use]
    pub fn peer(&self, extensions: &Extensions) -> Peer {
        let address = rpc::PeerInfo::of(extensions).map(|peer| peer.address.ip());
        let peer = Peer::new(address, self.door);
        match rpc::RequestId::of(extensions) {
            Some(id) => peer.with_request_id(id.as_str()),
            None => peer,
        }
    }

    /// Whether the bearer of a call may do `A`.
    ///
    /// # Errors
    /// UNAUTHENTICATED without a good bearer, PERMISSION_DENIED without the right, INVALID_ARGUMENT where the metadata
    /// holds more than one.
    pub async fn permit<A: Action>(
        &self,
        metadata: &MetadataMap,
        extensions: &Extensions,
    ) -> Result<Permit<A>, Status> {
        let peer = self.peer(extensions);
        let actor = self.actor(metadata, &peer).await?;
        self.access.permit(&actor, &peer).await.map_err(fault::access)
    }

    async fn actor(&self, metadata: &MetadataMap, peer: &Peer) -> Result<Actor, Status> {
        match self.bearer(metadata, peer).await? {
            Some(actor) => Ok(actor),
            None => Err(fault::access(self.access.refuse(peer))),
        }
    }

    /// Whoever the bearer of a call belongs to; nobody where it carries none. For doors at which callers may show
    /// something else.
    ///
    /// # Errors
    /// UNAUTHENTICATED for a bearer that is not good or not well formed.
    pub async fn bearer(&self, metadata: &MetadataMap, peer: &Peer) -> Result<Option<Actor>, Status> {
        let Some(token) = token(metadata)? else {
            return Ok(None);
        };
        let actor = self.access.authenticate(Credential::Bearer(token), peer).await;
        actor.map(Some).map_err(fault::access)
    }
}

/// The token behind a call's `authorization: Bearer`; nothing where the call carries none.
///
/// # Errors
/// UNAUTHENTICATED for one that is not well formed.
pub fn token(metadata: &MetadataMap) -> Result<Option<Secret>, Status> {
    let bearer = rpc::bearer(metadata).map_err(|error| fault::shown(error.kind(), &error))?;
    Ok(bearer.map(|bearer| Secret::from(bearer.into_text())))
}
