//! Makes what the nodes do equal to what the rows want, again and again, from what both say now.
//!
//! One loop gives turns and knows which nodes there are; one loop for each node (module `on_node`) meets what that node
//! says, so that a slow node holds up no other. They take no input: a change of rows, news from a node or the passing
//! of time only wake them, and every pass looks at everything that has not ended. So a crash between any two steps is
//! repaired by the next pass. What it leaves to others: what an event means (module `state`), whose turn it is (module
//! `turn`).

mod on_node;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use access::SystemPermit;
use model::JobId;
use tasks::{Policy, Tasks};
use tokio_util::sync::DropGuard;

use crate::{
    Error, Inner,
    draft::Offer,
    node::Known,
    record::{self, Placed, TOPIC, Waiting},
    state::Event,
    submit::WAITS,
    turn::{self, Candidate, Past, Room, Site, Turn, Wanted},
};

/// The right under which the reconciler writes.
const PERMIT: SystemPermit = SystemPermit::new("jobs.reconcile");
/// A pass at least this often, whatever was missed.
const PERIOD: Duration = Duration::from_secs(5);
/// How long after a failed pass the next one begins.
const AFTER_FAULT: Duration = Duration::from_secs(1);

/// What is kept from pass to pass. Losing it changes no job's end, only an order or a delay.
#[derive(Default)]
struct Memory {
    past: Past,
    /// The loops of the nodes, by their names.
    loops: BTreeMap<String, DropGuard>,
}

/// Starts the reconciler.
pub(crate) fn start(inner: Arc<Inner>, tasks: &Tasks) {
    let (token, owner) = (tasks.token(), tasks.clone());
    tasks.spawn("jobs.reconcile", Policy::StopAll, async move {
        let mut rows = inner.store.watch(TOPIC);
        let mut memory = Memory::default();
        loop {
            let pass = tokio::select! {
                () = token.cancelled() => return,
                pass = pass(&inner, &mut memory, &owner) => pass,
            };
            let longest = match pass {
                Ok(()) => PERIOD,
                Err(error) => {
                    tracing::warn!(
                        error = model::chain(&error),
                        "a pass over the jobs failed and is repeated"
                    );
                    AFTER_FAULT
                }
            };
            tokio::select! {
                () = token.cancelled() => return,
                () = rows.changed() => {}
                () = inner.nodes.changed() => {}
                () = tokio::time::sleep(longest) => {}
            }
        }
    });
}

/// One look at all nodes and all jobs that have not ended.
async fn pass(inner: &Arc<Inner>, memory: &mut Memory, owner: &Tasks) -> Result<(), Error> {
    let nodes = inner.nodes.all().await?;
    attend(inner, memory, owner, &nodes);
    let cluster = inner.config.cluster.clone();
    let read = PERMIT.read(&inner.store, move |tx| {
        Ok::<_, Error>((record::placed(tx, &cluster)?, record::waiting(tx, &cluster)?))
    });
    let (placed, waiting) = read.await?;
    let is_known = |job: &&Placed| nodes.iter().any(|known| known.name == job.node_name);
    let (placed, gone): (Vec<&Placed>, Vec<&Placed>) = placed.iter().partition(is_known);
    let is_gone = |job: &&Waiting| !may_come(&nodes, &job.wanted);
    let waits_in_vain = waiting.iter().filter(is_gone).map(|job| job.id);
    for id in gone.into_iter().map(|job| job.id).chain(waits_in_vain) {
        on_node::happen(inner, id, || on_node::Happening::Gone).await?;
    }
    let (present, sites) = sites(&nodes, &placed);
    let turn = turn::next(&candidates(&present, &waiting), &sites, &mut memory.past);
    place(inner, &turn, &present).await?;
    explain(inner, &turn, &present, &waiting).await
}

/// Begins a loop for each new node, and ends those of nodes that are gone.
fn attend(inner: &Arc<Inner>, memory: &mut Memory, owner: &Tasks, nodes: &[Known]) {
    memory
        .loops
        .retain(|name, _| nodes.iter().any(|known| known.name == *name));
    for known in nodes {
        if memory.loops.contains_key(&known.name) {
            continue;
        }
        let token = owner.token().child_token();
        let (inner, node, stop) = (Arc::clone(inner), known.clone(), token.clone());
        let name = format!("jobs.node {}", known.name);
        owner.spawn(name, Policy::MayEnd, on_node::keep(inner, node, stop));
        memory.loops.insert(known.name.clone(), token.drop_guard());
    }
}

/// The nodes that can take jobs now, and what is on them.
fn sites<'a>(nodes: &'a [Known], placed: &[&Placed]) -> (Vec<&'a Known>, Vec<Site>) {
    let present = nodes.iter().filter(|known| known.node.is_present());
    let offers = present.filter_map(|known| {
        let capacity = known.node.capacity()?;
        let room = Room {
            cores: capacity.cores,
            memory_bytes: capacity.memory_bytes,
        };
        let here = placed.iter().filter(|job| job.node_name == known.name);
        let running = here.map(|job| job.claim).collect();
        Some((known, Site { room, running }))
    });
    offers.unzip()
}

/// Whether a job that waits may get its node at all: one that was removed never comes back.
fn may_come(nodes: &[Known], wish: &str) -> bool {
    let named = !wish.is_empty() && wish != crate::ANYWHERE;
    !named || nodes.iter().any(|known| known.name == wish)
}

/// The place among those present of the node that a job wants; none where it is away.
fn wanted(present: &[&Known], wish: &str) -> Option<Wanted> {
    if wish == crate::ANYWHERE {
        return Some(Wanted::Any);
    }
    let suits = |known: &&Known| Offer::suits(&known.name, known.is_usual, wish);
    present.iter().position(suits).map(Wanted::Site)
}

fn candidates(present: &[&Known], waiting: &[Waiting]) -> Vec<Candidate<JobId>> {
    let candidate = |job: &Waiting| {
        Some(Candidate {
            key: job.id,
            claim: job.claim,
            wanted: wanted(present, &job.wanted)?,
        })
    };
    waiting.iter().filter_map(candidate).collect()
}

/// Writes down which node each job goes to; the node's own loop starts it there.
async fn place(inner: &Inner, turn: &Turn<JobId>, present: &[&Known]) -> Result<(), Error> {
    let named = turn.start.iter().filter_map(|&(id, site)| {
        let known = present.get(site)?;
        Some((id, known.name.clone()))
    });
    let placed: Vec<(JobId, String)> = named.collect();
    if placed.is_empty() {
        return Ok(());
    }
    let (now, admission) = (inner.clock.now(), Arc::clone(&inner.admission));
    let write = PERMIT.write(&inner.store, move |tx| {
        for (id, node_name) in &placed {
            record::happen(tx, admission.as_ref(), *id, Event::Place, node_name, now)?;
        }
        Ok::<_, Error>(())
    });
    write.await
}

/// Says of those that hold back others what they wait for, and of those whose node is away that it is.
async fn explain(
    inner: &Inner,
    turn: &Turn<JobId>,
    present: &[&Known],
    waiting: &[Waiting],
) -> Result<(), Error> {
    let mut news: Vec<(JobId, String)> = Vec::new();
    for job in waiting {
        let id = job.id;
        let reason = if let Some((_, left)) = turn.blocked.iter().find(|(blocked, _)| *blocked == id) {
            waits_for_room(job, *left)
        } else if turn.too_large.contains(&id) {
            "waits for a node that is as large as it asks for".to_owned()
        } else if wanted(present, &job.wanted).is_none() {
            waits_for_node(&job.wanted)
        } else if job.reason == waits_for_node(&job.wanted) {
            WAITS.to_owned()
        } else {
            continue;
        };
        if reason != job.reason {
            news.push((id, reason));
        }
    }
    if news.is_empty() {
        return Ok(());
    }
    let write = PERMIT.write(&inner.store, move |tx| {
        for (id, reason) in &news {
            record::explain(tx, *id, reason)?;
        }
        Ok::<_, Error>(())
    });
    write.await
}

fn waits_for_node(wish: &str) -> String {
    match wish {
        "" => "waits for the zone's own node, which is away".to_owned(),
        name => format!("waits for node {name}, which is away"),
    }
}

fn waits_for_room(job: &Waiting, left: Room) -> String {
    let mib = |bytes: u64| bytes >> 20;
    format!(
        "waits for {} cores and {} MiB; {} cores and {} MiB are free",
        job.claim.cores,
        mib(job.claim.memory_bytes),
        left.cores,
        mib(left.memory_bytes)
    )
}
