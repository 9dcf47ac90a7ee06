//! The next certificate of a machine, for the key that it joined with.
//!
//! What it leaves to others: when it is time (the agent).

use access::{NodeCertificate, NodeKey, NodePermit, node};
use model::{NodeId, Timestamp};
use store::Tx;

use crate::{Error, Handle, Renew, record};

impl Handle {
    /// Gives a machine its next certificate; the one before it stays good until its end.
    ///
    /// # Errors
    /// `NotFound`, audited, where `node` is not the caller; `Invalid` for a request that cannot be used; `Denied` for
    /// another key than the machine joined with; the store's own.
    pub async fn renew(
        &self,
        permit: &NodePermit<Renew>,
        node: NodeId,
        request: &[u8],
    ) -> Result<NodeCertificate, Error> {
        permit.find(node).await?;
        let key = NodeKey::from_request(request)?;
        let zone = self.house.access.zone();
        let certificate = zone.issue_node_certificate(&permit.node().name, &key)?;
        let (draft, shown) = (certificate.clone(), key.fingerprint().to_owned());
        let write = move |tx: &mut Tx<'_>, now: Timestamp| {
            if record::by_id(tx, node)?.tls_key != shown {
                return Err(Error::OtherKey);
            }
            node::add_certificate(tx, node, &draft, now)?;
            Ok(())
        };
        permit.write(&self.house.store, write).await?;
        Ok(certificate)
    }
}
