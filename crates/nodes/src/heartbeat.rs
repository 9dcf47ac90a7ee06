//! What machines tell of themselves, in memory; the store learns now and then that one was seen.
//!
//! What it leaves to others: how it is told (the link).

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use access::{NodePermit, SystemPermit};
use model::{NodeId, Span, Timestamp};
use store::{Tx, params};

use crate::{Error, Handle, Heartbeat, Node, State, record};

/// How far what is stored of a machine's last sign may lie behind.
const NOTED: Span = Span::from_secs(600);
/// The most characters of a version.
const MOST_VERSION: usize = 64;

/// What a machine tells with a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// The agent's version; what is longer than 64 characters is cut off.
    pub version: String,
    /// Its cores.
    pub cores: u32,
    /// Its bytes of memory.
    pub memory_bytes: u64,
}

/// The last heartbeat of each machine.
#[derive(Default)]
pub(crate) struct Beats(Mutex<BTreeMap<NodeId, Beat>>);

struct Beat {
    at: Timestamp,
    noted_at: Timestamp,
    told: Told,
}

impl Beats {
    fn state(&self) -> MutexGuard<'_, BTreeMap<NodeId, Beat>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn forget(&self, node: NodeId) {
        self.state().remove(&node);
    }

    /// Notes a heartbeat; tells whether the store should hear of it.
    fn note(&self, node: NodeId, told: Told, now: Timestamp) -> bool {
        let mut state = self.state();
        let noted_at = state.get(&node).map(|beat| beat.noted_at);
        let due = noted_at.is_none_or(|noted_at| now - noted_at >= NOTED || now < noted_at);
        let noted_at = if due { now } else { noted_at.unwrap_or(now) };
        let at = now;
        state.insert(node, Beat { at, noted_at, told });
        due
    }

    /// Adds to a stored machine what it told last.
    fn add_to(&self, node: &mut Node, silence: Span, now: Timestamp) {
        if let Some(beat) = self.state().get(&node.id) {
            node.last_seen = node.last_seen.max(Some(beat.at));
            node.is_live = now - beat.at < silence;
            node.version.clone_from(&beat.told.version);
            (node.cores, node.memory_bytes) = (beat.told.cores, beat.told.memory_bytes);
        }
    }
}

impl Handle {
    /// Notes that a machine lives, and what it tells.
    ///
    /// # Errors
    /// `NotFound`, audited, where `node` is not the caller; the store's own, about once in ten minutes.
    pub async fn heartbeat(
        &self,
        permit: &NodePermit<Heartbeat>,
        node: NodeId,
        told: Told,
    ) -> Result<(), Error> {
        permit.find(node).await?;
        let Told {
            version,
            cores,
            memory_bytes,
        } = told;
        let version = version
            .chars()
            .filter(|c| !c.is_control())
            .take(MOST_VERSION)
            .collect();
        let told = Told {
            version,
            cores,
            memory_bytes,
        };
        let now = self.house.time.now();
        if !self.house.beats.note(node, told, now) {
            return Ok(());
        }
        let note = move |tx: &mut Tx<'_>| {
            let sql = "UPDATE nodes SET last_seen = ?1 WHERE id = ?2 AND ended_at IS NULL";
            tx.execute(sql, params![now, node]).map(drop)
        };
        let system = SystemPermit::new("nodes.heartbeat");
        Ok(system
            .write::<_, store::Error, _>(&self.house.store, note)
            .await?)
    }

    /// Tells a machine what the zone knows of it.
    ///
    /// # Errors
    /// `NotFound`, audited, where `node` is not the caller; the store's own.
    pub async fn state(&self, permit: &NodePermit<State>, node: NodeId) -> Result<Node, Error> {
        permit.find(node).await?;
        let read = move |tx: &mut Tx<'_>| record::by_id(tx, node);
        let system = SystemPermit::new("nodes.state");
        let mut found = system.read(&self.house.store, read).await?;
        self.add_beats(&mut found);
        Ok(found)
    }

    /// Adds to a stored machine what it told last.
    pub(crate) fn add_beats(&self, node: &mut Node) {
        let (house, now) = (&self.house, self.house.time.now());
        house.beats.add_to(node, house.config.silence, now);
    }
}
