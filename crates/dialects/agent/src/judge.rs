//! Who may have a link: a machine whose certificate the zone knows, for as long as it is one of the zone's, and only
//! one program at a time with its keys.
//!
//! What it leaves to others: the knowledge (`access`), the connection (`rpc::link`), and which program was first
//! (`runs`).

use access::{Access, Peer};
use futures::future::BoxFuture;
use rpc::link::{Admission, Caller, Judge};

use crate::runs::Runs;

/// Asks the zone.
pub(crate) struct Known {
    pub(crate) access: Access,
    pub(crate) runs: Runs,
}

impl Judge for Known {
    fn judge(&self, caller: Caller) -> BoxFuture<'_, Option<Admission>> {
        Box::pin(async move {
            let address = caller.peer.address;
            let peer = Peer::new(Some(address.ip()), "agent");
            let node = match self.access.authenticate_node(&caller.leaf, &peer).await {
                Ok(node) => node,
                Err(error) => {
                    tracing::info!(%address, %error, "a link was refused");
                    return None;
                }
            };
            let held = self
                .runs
                .enter(node.id, node.name.as_str(), &caller.run, address)?;
            let ended = self.access.until_node_ended(node.id);
            Some(Admission {
                holder: node.id.to_string(),
                // The run is held for as long as the connection is.
                until: Box::pin(async move {
                    let _held = held;
                    ended.await;
                }),
            })
        })
    }
}
