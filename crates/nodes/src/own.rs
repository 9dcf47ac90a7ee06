//! The zone's own machine: the one that the server runs on. It joins and keeps its link like any other, but nobody has
//! to hand it a token, and nobody can put it out.
//!
//! What it leaves to others: the keys and the link (the agent).

use access::{NodeCertificate, NodeKey, Secret, SystemPermit, node};
use model::{Id, NodeId, Span, Timestamp};
use store::{Tx, params};

use crate::{Error, Handle, TokenText, record, remove, tokens::OfToken};

/// The kind of tokens with which the zone's own machine joins.
pub(crate) const KIND: &str = "own";
/// How long such a token may wait for its use: it is used at once.
const LIFE: Span = Span::from_secs(60);

impl Handle {
    /// Makes a token for the zone's own machine, whose keys are new. Whoever was that machine before is none any more.
    ///
    /// # Errors
    /// The store's own.
    pub async fn invite_own(&self) -> Result<Secret, Error> {
        let text = TokenText::draw(self.house.access.zone().ca_fingerprint());
        let (hash, now) = (text.hash(), self.house.time.now());
        let id = Id::<OfToken>::fresh(now).to_string();
        let make = move |tx: &mut Tx<'_>| {
            tx.execute(
                "INSERT INTO join_tokens (hash, id, kind, node_name, uses, used, made_at, ends_at) \
                 VALUES (?1, ?2, ?3, NULL, 1, 0, ?4, ?5)",
                params![hash.as_str(), id.as_str(), KIND, now, now + LIFE],
            )
            .map(drop)
        };
        let permit = SystemPermit::new("nodes.own");
        permit
            .write::<_, store::Error, _>(&self.house.store, make)
            .await?;
        Ok(text.text())
    }

    /// Gives the zone's own machine a certificate for the key that it joined with, also where the one before has ended
    /// while the server was down.
    ///
    /// # Errors
    /// `NotFound` where it is none of the zone's; `Invalid` and `Denied` as for [`Handle::renew`]; the store's own.
    pub async fn renew_own(&self, own: NodeId, request: &[u8]) -> Result<NodeCertificate, Error> {
        let permit = SystemPermit::new("nodes.own");
        let found = permit
            .read(&self.house.store, move |tx| record::by_id(tx, own))
            .await?;
        let key = NodeKey::from_request(request)?;
        if found.tls_key != key.fingerprint() {
            return Err(Error::OtherKey);
        }
        let certificate = self
            .house
            .access
            .zone()
            .issue_node_certificate(&found.name, &key)?;
        let (draft, now) = (certificate.clone(), self.house.time.now());
        let write = move |tx: &mut Tx<'_>| Ok::<_, Error>(node::add_certificate(tx, own, &draft, now)?);
        permit.write(&self.house.store, write).await?;
        Ok(certificate)
    }

    /// Notes which machine is the zone's own, until the server ends.
    pub fn set_own(&self, own: NodeId) {
        self.house.own.set(own).ok();
    }

    /// The zone's own machine, once it is one.
    #[must_use]
    pub fn own(&self) -> Option<NodeId> {
        self.house.own.get().copied()
    }
}

/// Ends whoever was the zone's own machine before, so that its place is free. Its keys are lost.
pub(crate) fn replace(tx: &mut Tx<'_>, address: i64, quarantine: Span, now: Timestamp) -> Result<(), Error> {
    let sql = "SELECT id FROM nodes WHERE address = ?1 AND ended_at IS NULL";
    if let Some(row) = tx.row(sql, params![address])? {
        remove::end(tx, row.get(0)?, quarantine, now)?;
    }
    Ok(())
}
