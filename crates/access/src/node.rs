//! Machines of the zone as callers: who shows this certificate, what it may do, and until when.
//!
//! A machine is whoever holds the key of a certificate that was written down here and not taken back since; what
//! the certificate says of itself is not read. A machine has no roles: the table of roles lists the actions that
//! are open to machines, each for itself only, and a [`NodePermit`] is a type of its own, so that no use case
//! takes a machine for a user. What it leaves to others: how a machine comes to be one (slice `nodes`).

use std::{marker::PhantomData, sync::Arc, time::Duration};

use model::{ErrorKind, Name, NodeId, Timestamp};
use rustls_pki_types::CertificateDer;
use store::{Store, Tx, params};

use crate::{
    Access, Action, Error, Peer,
    audit::{self, Entry, Outcome},
    digest,
    house::House,
    lasting, names,
    root::{CERTIFICATE, pem},
};

/// The topic under which the end of a machine is announced, and each new certificate; the key is its id.
pub(crate) const TOPIC: &str = "access.nodes";
/// The action under which refused certificates are counted.
const ACTION: &str = "node.authenticate";

/// A machine of the zone that makes a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeActor {
    /// The machine.
    pub id: NodeId,
    /// Its name, never given to anything else.
    pub name: Name,
}

/// Writes a machine down, in the transaction in which it joins, and takes its name.
///
/// # Errors
/// `Exists` when the name was ever given or is reserved; the store's own.
pub fn add(tx: &mut Tx<'_>, id: NodeId, name: &Name, now: Timestamp) -> Result<(), Error> {
    names::claim(tx, name, "node", &id.to_string())?;
    tx.execute(
        "INSERT INTO machines (id, name, added_at) VALUES (?1, ?2, ?3)",
        params![id, name, now],
    )?;
    Ok(())
}

/// Writes down a certificate that a machine is about to get; it counts from the end of this transaction on.
/// Certificates that have ended are forgotten.
///
/// # Errors
/// `NotFound` for a machine that is not there or was removed; the store's own.
pub fn add_certificate(
    tx: &mut Tx<'_>,
    id: NodeId,
    certificate: &NodeCertificate,
    now: Timestamp,
) -> Result<(), Error> {
    if !tx.lock_row("machines", "id", id.into())? || is_ended(tx, id)? {
        return Err(Error::NotFound {
            what: "this machine".to_owned(),
        });
    }
    tx.execute(
        "DELETE FROM machine_certificates WHERE machine_id = ?1 AND ends_at <= ?2",
        params![id, now],
    )?;
    tx.execute(
        "INSERT INTO machine_certificates (fingerprint, machine_id, ends_at) VALUES (?1, ?2, ?3) \
         ON CONFLICT (fingerprint) DO NOTHING",
        params![certificate.fingerprint.as_str(), id, certificate.ends_at],
    )?;
    tx.change(TOPIC, &id.to_string())?;
    Ok(())
}

/// Takes back every certificate of a machine: it is none any more. Its open calls and links end.
///
/// # Errors
/// The store's own.
pub fn end(tx: &mut Tx<'_>, id: NodeId, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "UPDATE machines SET ended_at = ?1 WHERE id = ?2 AND ended_at IS NULL",
        params![now, id],
    )?;
    tx.execute(
        "DELETE FROM machine_certificates WHERE machine_id = ?1",
        params![id],
    )?;
    tx.change(TOPIC, &id.to_string())?;
    Ok(())
}

fn is_ended(tx: &mut Tx<'_>, id: NodeId) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM machines WHERE id = ?1 AND ended_at IS NULL";
    Ok(tx.row(sql, params![id])?.is_none())
}

/// Until when the newest certificate of a machine is good.
fn check_stands(tx: &mut Tx<'_>, id: NodeId, now: Timestamp) -> Result<Timestamp, Error> {
    certificate_end(tx, id)?
        .filter(|ends_at| *ends_at > now)
        .ok_or(Error::BadCertificate)
}

/// A certificate for a machine, which brought its own key.
#[derive(Debug, Clone)]
pub struct NodeCertificate {
    /// The certificate first, then the authority's.
    pub chain: Vec<CertificateDer<'static>>,
    /// When the certificate ends.
    pub ends_at: Timestamp,
    fingerprint: String,
}

/// The machine that holds the certificate with this fingerprint.
pub(crate) fn by_fingerprint(tx: &mut Tx<'_>, fingerprint: &str, now: Timestamp) -> Result<NodeActor, Error> {
    let row = tx.row(
        "SELECT m.id, m.name FROM machine_certificates c JOIN machines m ON m.id = c.machine_id \
         WHERE c.fingerprint = ?1 AND c.ends_at > ?2 AND m.ended_at IS NULL",
        params![fingerprint, now],
    )?;
    let row = row.ok_or(Error::BadCertificate)?;
    let (id, name) = (row.get(0)?, row.get(1)?);
    Ok(NodeActor { id, name })
}

/// When the newest certificate of a machine ends, where it has one.
///
/// # Errors
/// The store's own.
pub fn certificate_end(tx: &mut Tx<'_>, id: NodeId) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT MAX(ends_at) FROM machine_certificates WHERE machine_id = ?1";
    let row = tx.row(sql, params![id])?;
    Ok(row.map(|row| row.get(0)).transpose()?.flatten())
}

impl NodeCertificate {
    pub(crate) fn new(chain: Vec<CertificateDer<'static>>, ends_at: Timestamp) -> Self {
        let fingerprint = chain
            .first()
            .map(|own| digest::sha256_hex(own))
            .unwrap_or_default();
        Self {
            chain,
            ends_at,
            fingerprint,
        }
    }

    /// SHA-256 of the certificate in DER, 64 lower-case hex digits.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The certificate alone, in PEM (RFC 7468).
    #[must_use]
    pub fn pem(&self) -> String {
        self.chain
            .first()
            .map(|own| pem(CERTIFICATE, own))
            .unwrap_or_default()
    }
}

impl Access {
    /// Tells which machine holds this certificate. The connection must have proven that the caller has its key.
    ///
    /// # Errors
    /// `Unauthenticated` where it was not given by this zone, has ended, or was taken back; the refusal is counted.
    /// The store's own.
    pub async fn authenticate_node(
        &self,
        certificate: &CertificateDer<'_>,
        peer: &Peer,
    ) -> Result<NodeActor, Error> {
        let (fingerprint, now) = (digest::sha256_hex(certificate), self.house.clock.now());
        let found = self
            .house
            .store
            .read(move |tx| by_fingerprint(tx, &fingerprint, now));
        found.await.inspect_err(|error| {
            if matches!(error, Error::BadCertificate) {
                self.house.anonymous.count(peer, ACTION, now);
            }
        })
    }

    /// Resolves when the machine is none any more, or its last certificate has ended. It resolves too when the
    /// store cannot tell for a while.
    pub fn until_node_ended(&self, node: NodeId) -> impl Future<Output = ()> + Send + 'static {
        let house = Arc::clone(&self.house);
        async move {
            let mut watches = [house.store.watch(TOPIC)];
            let mut failures = 0;
            loop {
                let now = house.clock.now();
                let wait = match house.store.read(move |tx| check_stands(tx, node, now)).await {
                    Ok(ends_at) => {
                        failures = 0;
                        (ends_at - now).to_std().min(lasting::LOOK_AGAIN)
                    }
                    Err(Error::Store(_)) if failures < lasting::FAILURES => {
                        failures += 1;
                        Duration::from_secs(1)
                    }
                    Err(_) => return,
                };
                tokio::select! {
                    () = lasting::woken(&mut watches) => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
        }
    }

    /// Asks whether a machine may do `A` now, for itself.
    ///
    /// # Errors
    /// `Denied`, with an audit row, for an action that is not open to machines; `Unauthenticated` where the
    /// machine is none any more.
    pub async fn permit_node<A: Action>(
        &self,
        node: &NodeActor,
        peer: &Peer,
    ) -> Result<NodePermit<A>, Error> {
        let permit = NodePermit {
            house: Arc::clone(&self.house),
            node: node.clone(),
            peer: peer.clone(),
            action: PhantomData,
        };
        if !self.house.roles.is_open_to_nodes(A::NAME) {
            let refusal = Error::Denied { action: A::NAME };
            permit.audit(&refusal, "").await?;
            return Err(refusal);
        }
        let (id, now) = (node.id, self.house.clock.now());
        let stands = self.house.store.read(move |tx| check_stands(tx, id, now)).await;
        if let Err(refusal) = stands {
            permit.audit(&refusal, "").await?;
            return Err(refusal);
        }
        if !A::WRITES {
            self.house.count_read(A::NAME);
        }
        Ok(permit)
    }
}

/// Says that a machine may do `A` for itself, and for no other. Only [`Access::permit_node`] makes one.
pub struct NodePermit<A> {
    house: Arc<House>,
    node: NodeActor,
    peer: Peer,
    action: PhantomData<fn() -> A>,
}

impl<A: Action> NodePermit<A> {
    /// Which machine acts.
    #[must_use]
    pub const fn node(&self) -> &NodeActor {
        &self.node
    }

    /// Passes where `id` is the machine itself; leaves an audit row where it is another.
    ///
    /// # Errors
    /// `NotFound`: a machine is told nothing of others.
    pub async fn find(&self, id: NodeId) -> Result<(), Error> {
        if id == self.node.id {
            return Ok(());
        }
        let what = format!("node {id}");
        let refusal = Error::NotFound { what: what.clone() };
        self.audit(&refusal, &what).await?;
        Err(refusal)
    }

    /// Writes under this permit: looks that the machine is one still, does the work and adds its audit row, all in
    /// one transaction. The work may run twice and must have no effect beside the transaction.
    ///
    /// # Errors
    /// What the work returns, with nothing written; `Unauthenticated` where the machine is none any more; the
    /// store's own.
    pub async fn write<T, E, F>(&self, store: &Store, work: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>, Timestamp) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + From<store::Error> + Send + 'static,
    {
        const { assert!(A::WRITES, "an action that only reads cannot write") };
        let (house, id) = (Arc::clone(&self.house), self.node.id);
        let entry = self.entry().about(self.node.name.as_str());
        let written = store.write(move |tx| {
            let now = house.clock.now();
            check_stands(tx, id, now)?;
            let answer = work(tx, now)?;
            audit::insert(tx, &entry, Outcome::Done, now)?;
            Ok(answer)
        });
        let written = written.await;
        self.house.unsealed.notify_one();
        written
    }

    fn entry(&self) -> Entry {
        let entry = Entry::of_nobody(&self.peer, A::NAME);
        entry.by_node(&self.node.id.to_string(), self.node.name.as_str())
    }

    async fn audit(&self, refusal: &Error, object: &str) -> Result<(), Error> {
        let kind = refusal.kind();
        if !matches!(
            kind,
            ErrorKind::Denied | ErrorKind::NotFound | ErrorKind::Unauthenticated
        ) {
            return Ok(());
        }
        let entry = self.entry().about(object).because(kind.word());
        self.house.audit(entry, Outcome::Refused).await
    }
}
