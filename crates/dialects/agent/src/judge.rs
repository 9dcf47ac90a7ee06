//! Who may have a link: a machine whose certificate the zone knows, for as long as it is one of the zone's.
//!
//! What it leaves to others: the knowledge (`access`) and the connection (`rpc::link`).

use access::{Access, Peer};
use futures::future::BoxFuture;
use rpc::{
    PeerInfo,
    link::{Admission, Judge},
};
use rustls_pki_types::CertificateDer;

/// Asks the zone.
pub(crate) struct Known(pub(crate) Access);

impl Judge for Known {
    fn judge(&self, leaf: &CertificateDer<'static>, peer: &PeerInfo) -> BoxFuture<'_, Option<Admission>> {
        let (leaf, peer) = (leaf.clone(), Peer::new(Some(peer.address.ip()), "agent"));
        Box::pin(async move {
            let node = match self.0.authenticate_node(&leaf, &peer).await {
                Ok(node) => node,
                Err(error) => {
                    tracing::info!(address = ?peer.address, %error, "a link was refused");
                    return None;
                }
            };
            Some(Admission {
                holder: node.id.to_string(),
                until: Box::pin(self.0.until_node_ended(node.id)),
            })
        })
    }
}
