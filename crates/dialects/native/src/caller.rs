//! Who makes a call, and whether they may: the part that every call of this protocol begins with.
//!
//! What it leaves to others: judging the credential and the right (`access`). Nothing here compares a secret.

use access::{Access, Action, Actor, Credential, Peer, Permit, Secret};
use tonic::{Extensions, Status, metadata::MetadataMap};

use crate::fault;

/// Asks `access` on behalf of a call.
#[derive(Clone)]
pub(crate) struct Callers {
    access: Access,
}

impl Callers {
    pub(crate) const fn new(access: Access) -> Self {
        Self { access }
    }

    pub(crate) const fn access(&self) -> &Access {
        &self.access
    }

    /// Where a call comes from.
    pub(crate) fn peer(extensions: &Extensions) -> Peer {
        let address = rpc::PeerInfo::of(extensions).map(|peer| peer.address.ip());
        let peer = Peer::new(address, "native");
        match rpc::RequestId::of(extensions) {
            Some(id) => peer.with_request_id(id.as_str()),
            None => peer,
        }
    }

    /// Whether the caller may do `A`.
    pub(crate) async fn permit<A: Action>(
        &self,
        metadata: &MetadataMap,
        extensions: &Extensions,
    ) -> Result<Permit<A>, Status> {
        let peer = Self::peer(extensions);
        let actor = self.actor(metadata, &peer).await?;
        self.access.permit(&actor, &peer).await.map_err(fault::access)
    }

    async fn actor(&self, metadata: &MetadataMap, peer: &Peer) -> Result<Actor, Status> {
        let Some(bearer) = rpc::bearer(metadata).map_err(|error| fault::bearer(&error))? else {
            return Err(fault::access(self.access.refuse(peer)));
        };
        let credential = Credential::Bearer(Secret::from(bearer.into_text()));
        self.access
            .authenticate(credential, peer)
            .await
            .map_err(fault::access)
    }
}
