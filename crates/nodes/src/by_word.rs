//! Machines by the word that their client was given when it registered them.
//!
//! Administrators ask and end as they may by name; a machine asks of itself and ends itself. A word that nobody was
//! given, and for a machine every word but its own, names nothing. What it leaves to others: registering (`register`).

use std::net::Ipv4Addr;

use access::{NodePermit, Permit, SystemPermit, Write};
use model::NodeId;
use store::{Tx, params};

use crate::{Error, Handle, Leave, List, Node, Remove, State, record, remove, short};

impl Handle {
    /// The machine with this word.
    ///
    /// # Errors
    /// `NotFound` for a word that nobody has; the store's own.
    pub async fn find_by_word(&self, permit: &Permit<List>, word: &str) -> Result<Node, Error> {
        let hash = short::hash(word);
        let mut node = permit
            .read(&self.house.store, move |tx| by_hash(tx, &hash))
            .await?;
        self.add_beats(&mut node);
        Ok(node)
    }

    /// Tells a machine what the zone knows of it, where the word is its own.
    ///
    /// # Errors
    /// `NotFound` for a word that nobody has, and, audited, for another machine's; the store's own.
    pub async fn own_by_word(&self, permit: &NodePermit<State>, word: &str) -> Result<Node, Error> {
        let node = self.id_of(word).await?;
        self.state(permit, node).await
    }

    /// Puts the machine with this word out of the zone, as [`Handle::remove`] does.
    ///
    /// # Errors
    /// `NotFound` for a word that nobody has; the store's own.
    pub async fn remove_by_word(&self, permit: &Permit<Remove>, word: &str) -> Result<(), Error> {
        let (hash, quarantine) = (short::hash(word), self.house.config.quarantine);
        let time = self.house.time.now();
        let end = move |write: &mut Write<'_, '_>| {
            let node = by_hash(write, &hash)?;
            write.about(format_args!("node {}", node.name));
            remove::end(write, node.id, quarantine, time).map(|()| node.id)
        };
        let gone = permit.write(&self.house.store, end).await?;
        self.house.beats.forget(gone);
        Ok(())
    }

    /// Ends the caller's own part in the zone, where the word is its own.
    ///
    /// # Errors
    /// `NotFound` for a word that nobody has, and, audited, for another machine's; the store's own.
    pub async fn leave_by_word(&self, permit: &NodePermit<Leave>, word: &str) -> Result<(), Error> {
        let node = self.id_of(word).await?;
        self.leave(permit, node).await
    }

    /// The address of the server in the zone's network.
    #[must_use]
    pub fn server_address(&self) -> Ipv4Addr {
        self.house.config.pool.server()
    }

    /// Looks whether the room can do its work: whether the store answers.
    ///
    /// # Errors
    /// The store's own.
    pub async fn check(&self) -> Result<(), Error> {
        let look = |tx: &mut Tx<'_>| tx.row("SELECT 1 FROM nodes_zone WHERE one = 1", &[]).map(drop);
        let system = SystemPermit::new("nodes.check");
        Ok(system.read::<_, store::Error, _>(&self.house.store, look).await?)
    }

    async fn id_of(&self, word: &str) -> Result<NodeId, Error> {
        let hash = short::hash(word);
        let read = move |tx: &mut Tx<'_>| by_hash(tx, &hash).map(|node| node.id);
        SystemPermit::new("nodes.by_word")
            .read(&self.house.store, read)
            .await
    }
}

fn by_hash(tx: &mut Tx<'_>, hash: &str) -> Result<Node, Error> {
    let sql = record::query("id = (SELECT node_id FROM node_words WHERE hash = ?1)");
    let row = tx.row(&sql, params![hash])?;
    let what = "a machine of this word".to_owned();
    row.map_or(Err(Error::NotFound { what }), |row| record::read(&row))
}
