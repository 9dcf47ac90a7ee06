//! Choosing a node for each service that has none, and having each node looked after.
//!
//! Like the reconciler it takes no input: a change of rows or the passing of time wakes it, and every pass looks at
//! everything that is not stopped. A node that is away keeps its services. What it leaves to others: what happens on a
//! node (module `reconcile`, one task for each, so that a node that does not answer holds up nobody else).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use access::SystemPermit;
use model::{NodeId, ServiceId, Timestamp};
use store::Tx;
use tasks::{Policy, Tasks};

use crate::{
    Error, Inner, State,
    node::Machine,
    reconcile,
    record::{self, Record, TOPIC},
    state::Wanted,
};

/// The right under which services are placed.
const PERMIT: SystemPermit = SystemPermit::new("services.place");
/// A pass at least this often, so that machines that came or went are seen.
const PERIOD: Duration = Duration::from_secs(2);

/// The machines that are looked after, each by a task of its own.
type Kept = BTreeMap<NodeId, Tasks>;

/// Starts placing.
pub(crate) fn start(inner: Arc<Inner>, tasks: &Tasks) {
    let (token, group) = (tasks.token(), tasks.child());
    tasks.spawn("services.place", Policy::StopAll, async move {
        let mut rows = inner.store.watch(TOPIC);
        let mut kept = Kept::new();
        loop {
            let pass = tokio::select! {
                () = token.cancelled() => return,
                pass = pass(&inner, &group, &mut kept) => pass,
            };
            if let Err(error) = pass {
                tracing::warn!(
                    error = model::chain(&error),
                    "placing services failed and is repeated"
                );
            }
            tokio::select! {
                () = token.cancelled() => return,
                () = rows.changed() => {}
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    });
}

async fn pass(inner: &Arc<Inner>, group: &Tasks, kept: &mut Kept) -> Result<(), Error> {
    let machines = inner.nodes.machines().await?;
    keep(inner, group, kept, &machines);
    let present: Vec<Machine> = machines
        .iter()
        .filter(|machine| inner.nodes.on(machine.id).is_some())
        .cloned()
        .collect();
    let records = PERMIT.read(&inner.store, record::unfinished).await?;
    let waits = |record: &Record| match record.standing.node {
        Some(node) => !machines.iter().any(|machine| machine.id == node),
        None => record.standing.wanted == Wanted::Run && record.standing.state != State::Failed,
    };
    let mut load: BTreeMap<NodeId, usize> = BTreeMap::new();
    for node in records.iter().filter_map(|record| record.standing.node) {
        *load.entry(node).or_default() += 1;
    }
    for record in records.iter().filter(|record| waits(record)) {
        let chosen = choose(record, &present, &load).cloned();
        if let Some(machine) = &chosen {
            *load.entry(machine.id).or_default() += 1;
        }
        let (id, now, all) = (record.id, inner.clock.now(), machines.clone());
        let write = PERMIT.write(&inner.store, move |tx| put(tx, id, &all, chosen.as_ref(), now));
        write.await?;
    }
    Ok(())
}

/// Has each machine of the zone looked after, and none that left it.
fn keep(inner: &Arc<Inner>, group: &Tasks, kept: &mut Kept, machines: &[Machine]) {
    kept.retain(|id, tasks| {
        let stays = machines.iter().any(|machine| machine.id == *id);
        if !stays {
            tasks.token().cancel();
        }
        stays
    });
    for machine in machines {
        kept.entry(machine.id).or_insert_with(|| {
            let tasks = group.child();
            reconcile::start(Arc::clone(inner), machine.clone(), &tasks);
            tasks
        });
    }
}

/// The machine that was asked for, or the one with the fewest services.
fn choose<'a>(
    record: &Record,
    present: &'a [Machine],
    load: &BTreeMap<NodeId, usize>,
) -> Option<&'a Machine> {
    let wanted = record.wanted_node.as_str();
    let fits = present
        .iter()
        .filter(|machine| wanted.is_empty() || machine.name == wanted);
    fits.min_by_key(|machine| load.get(&machine.id).copied().unwrap_or(0))
}

fn put(
    tx: &mut Tx<'_>,
    id: ServiceId,
    machines: &[Machine],
    chosen: Option<&Machine>,
    now: Timestamp,
) -> Result<(), Error> {
    record::happen(tx, id, |record, standing| {
        let any_node = record.wanted_node.is_empty();
        if let Some(node) = standing.node {
            if !machines.iter().any(|machine| machine.id == node) {
                standing.node_is_gone(any_node, now);
            }
            return;
        }
        if standing.wanted == Wanted::Stop || standing.state == State::Failed {
            return;
        }
        match chosen {
            Some(machine) => {
                standing.node = Some(machine.id);
                standing.node_name.clone_from(&machine.name);
                standing.reason = String::new();
            }
            None if any_node => standing.reason = "waits for a node".to_owned(),
            None => standing.reason = format!("waits for node {}", record.wanted_node),
        }
    })?;
    Ok(())
}
