//! The end of a machine's part in the zone: put out by an administrator, or left by itself.
//!
//! What it leaves to others: the work that ran there (`jobs`, `services`), which hears of it under the topic.

use access::{NodePermit, Permit, Write, node};
use model::{NodeId, Span, Timestamp};
use store::{Tx, params};

use crate::{Error, Handle, Leave, Remove, TOPIC, pool, record};

impl Handle {
    /// Puts a machine out of the zone: its certificates count no more and its links end. Its name and keys are
    /// never taken again.
    ///
    /// # Errors
    /// `NotFound` for an unknown name; `Precondition` for the machine that the server runs on; the store's own.
    pub async fn remove(&self, permit: &Permit<Remove>, name: &str) -> Result<(), Error> {
        let (name, quarantine) = (name.to_owned(), self.house.config.quarantine);
        let (time, own) = (self.house.time.now(), self.own());
        let end = move |write: &mut Write<'_, '_>| {
            let node = record::by_name(write, &name)?;
            if Some(node.id) == own {
                return Err(Error::Own { name: node.name });
            }
            write.about(format_args!("node {}", node.name));
            end(write, node.id, quarantine, time).map(|()| node.id)
        };
        let gone = permit.write(&self.house.store, end).await?;
        self.house.beats.forget(gone);
        Ok(())
    }

    /// Ends the caller's own part in the zone.
    ///
    /// # Errors
    /// `NotFound`, audited, where `node` is not the caller; the store's own.
    pub async fn leave(&self, permit: &NodePermit<Leave>, node: NodeId) -> Result<(), Error> {
        permit.find(node).await?;
        let (quarantine, time) = (self.house.config.quarantine, self.house.time.now());
        let end = move |tx: &mut Tx<'_>, _now: Timestamp| {
            record::by_id(tx, node)?;
            end(tx, node, quarantine, time)
        };
        permit.write(&self.house.store, end).await?;
        self.house.beats.forget(node);
        Ok(())
    }
}

/// Ends a machine: its certificates, its words and its hold on an address.
pub(crate) fn end(tx: &mut Tx<'_>, id: NodeId, quarantine: Span, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "UPDATE nodes SET ended_at = ?1, address = NULL WHERE id = ?2",
        params![now, id],
    )?;
    tx.execute("DELETE FROM node_words WHERE node_id = ?1", params![id])?;
    pool::release(tx, id, quarantine, now)?;
    node::end(tx, id, now)?;
    tx.change(TOPIC, &id.to_string())?;
    Ok(())
}
