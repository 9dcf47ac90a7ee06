//! Makes what the node does equal to what the rows want, again and again, from what both say now.
//!
//! It takes no input: a change of rows, news from the node or the passing of time only wake it, and every
//! pass looks at everything that has not ended. So a crash between any two steps is repaired by the next
//! pass. What it leaves to others: what an event means (module `state`), whose turn it is (module `turn`).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use access::SystemPermit;
use model::{ErrorKind, JobId, Span};
use stage::{Cause, Exit, Observed};
use tasks::{Policy, Tasks};

use crate::{
    Error, Inner, State,
    node::Report,
    record::{self, Record, TOPIC},
    state::Event,
    turn::{self, Claim, Past, Room},
};

/// The right under which the reconciler writes.
const PERMIT: SystemPermit = SystemPermit::new("jobs.reconcile");
/// A pass at least this often, whatever was missed.
const PERIOD: Duration = Duration::from_secs(5);
/// How long after a failed pass the next one begins.
const AFTER_FAULT: Duration = Duration::from_secs(1);

/// How often a step that failed on the node is tried for one job before the job is given up.
const MOST_TRIES: u32 = 10;

/// What is kept from pass to pass. Losing it changes no job's end, only an order or a delay.
#[derive(Default)]
struct Memory {
    past: Past,
    /// Failed tries to start a job.
    tries: BTreeMap<JobId, u32>,
}

/// Starts the reconciler.
pub(crate) fn start(inner: Arc<Inner>, tasks: &Tasks) {
    let token = tasks.token();
    tasks.spawn("jobs.reconcile", Policy::StopAll, async move {
        let mut rows = inner.store.watch(TOPIC);
        let mut memory = Memory::default();
        loop {
            let pass = tokio::select! {
                () = token.cancelled() => return,
                pass = pass(&inner, &mut memory) => pass,
            };
            let longest = match pass {
                Ok(()) if memory.tries.is_empty() => PERIOD,
                Ok(()) => AFTER_FAULT,
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
                () = inner.node.changed() => {}
                () = tokio::time::sleep(longest) => {}
            }
        }
    });
}

/// One look at everything that has not ended, and every step that follows from it.
async fn pass(inner: &Inner, memory: &mut Memory) -> Result<(), Error> {
    let reports = inner.node.observe().await?;
    let records = placed(inner).await?;
    let reported: BTreeMap<JobId, &Observed> = reports
        .iter()
        .map(|report| (report.id, &report.observed))
        .collect();
    memory
        .tries
        .retain(|id, _| records.iter().any(|record| record.job.id == *id));
    for record in &records {
        meet(inner, memory, record, reported.get(&record.job.id).copied()).await?;
    }
    forget(inner, &reports).await?;
    give_turns(inner, memory).await
}

async fn placed(inner: &Inner) -> Result<Vec<Record>, Error> {
    let cluster = inner.config.cluster.clone();
    let read = PERMIT.read(&inner.store, move |tx| record::placed(tx, &cluster));
    read.await
}

/// Brings one row and what the node says about it together.
async fn meet(
    inner: &Inner,
    memory: &mut Memory,
    record: &Record,
    observed: Option<&Observed>,
) -> Result<(), Error> {
    let id = record.job.id;
    match observed {
        Some(Observed::Ended(exit)) => {
            let exit = Arc::clone(exit);
            return happen(inner, id, move || Happening::Ended(Arc::clone(&exit))).await;
        }
        Some(Observed::Lost) => return happen(inner, id, || Happening::Lost).await,
        Some(Observed::Running { started_at }) if record.job.state == State::Pending => {
            let started_at = *started_at;
            happen(inner, id, move || Happening::Started(started_at)).await?;
        }
        Some(Observed::Starting | Observed::Running { .. }) => {}
        None if record.job.state == State::Running || record.standing.cancel_wanted => {
            return happen(inner, id, || Happening::Lost).await;
        }
        None => return start_on_node(inner, memory, record).await,
    }
    if record.standing.cancel_wanted {
        inner.node.end(id).await?;
    }
    Ok(())
}

/// An event that can be made as often as its transaction is run.
enum Happening {
    Started(model::Timestamp),
    Ended(Arc<Exit>),
    Lost,
}

async fn happen(
    inner: &Inner,
    id: JobId,
    happening: impl Fn() -> Happening + Send + 'static,
) -> Result<(), Error> {
    let now = inner.clock.now();
    let write = PERMIT.write(&inner.store, move |tx| {
        let happening = happening();
        let event = match &happening {
            Happening::Started(at) => Event::Started(*at),
            Happening::Ended(exit) => Event::Ended(exit),
            Happening::Lost => Event::Lost,
        };
        record::happen(tx, id, event, "", now)
    });
    write.await.map(drop)
}

/// Tells the node to start a job. A job that cannot be started here fails at once; a step that may work
/// later is repeated by later passes, so often, and holds up no other job.
async fn start_on_node(inner: &Inner, memory: &mut Memory, record: &Record) -> Result<(), Error> {
    let id = record.job.id;
    let Err(error) = inner.node.start(record.order()).await else {
        memory.tries.remove(&id);
        return Ok(());
    };
    let tries = memory.tries.entry(id).or_default();
    *tries += 1;
    let hopeless = matches!(
        error.kind(),
        ErrorKind::Invalid | ErrorKind::Precondition | ErrorKind::Denied
    );
    if !hopeless && *tries < MOST_TRIES {
        tracing::warn!(job = %id, error = model::chain(&error), "a job could not be started and is tried again");
        return Ok(());
    }
    memory.tries.remove(&id);
    let now = inner.clock.now();
    let exit = Arc::new(Exit {
        cause: Cause::NotStarted,
        reason: model::chain(&error),
        code: None,
        cpu: Span::ZERO,
        peak_memory_bytes: 0,
        started_at: now,
        ended_at: now,
        ran: Span::ZERO,
    });
    happen(inner, id, move || Happening::Ended(Arc::clone(&exit))).await
}

/// Lets the node drop what is written down here, and end what should not run.
async fn forget(inner: &Inner, reports: &[Report]) -> Result<(), Error> {
    for report in reports {
        let id = report.id;
        let read = PERMIT.read(&inner.store, move |tx| record::by_id(tx, id));
        let ended_here = read.await?.is_none_or(|record| record.standing.state.has_ended());
        if !ended_here {
            continue;
        }
        match report.observed {
            Observed::Ended(_) | Observed::Lost => inner.node.forget(id).await?,
            Observed::Starting | Observed::Running { .. } => inner.node.end(id).await?,
        }
    }
    Ok(())
}

/// Starts those whose turn it is, and says what the next one waits for.
async fn give_turns(inner: &Inner, memory: &mut Memory) -> Result<(), Error> {
    let node = inner.node.capacity();
    let cluster = inner.config.cluster.clone();
    let read = PERMIT.read(&inner.store, move |tx| {
        Ok::<_, Error>((record::placed(tx, &cluster)?, record::waiting(tx, &cluster)?))
    });
    let (placed, waiting) = read.await?;
    let claim = |record: &Record| Claim {
        user: record.job.user,
        cores: record.job.cores,
        memory_bytes: record.job.memory_bytes,
    };
    let running: Vec<Claim> = placed.iter().map(claim).collect();
    let room = Room {
        cores: node.cores,
        memory_bytes: node.memory_bytes,
    };
    let turn = turn::next(&waiting, &running, room, &mut memory.past);
    place(inner, &turn.start, node.name).await?;
    for id in turn.start {
        // Looked at again, because somebody may have cancelled it meanwhile.
        let present = PERMIT.read(&inner.store, move |tx| record::by_id(tx, id)).await?;
        if let Some(present) = present
            && present.standing.placed
            && !present.standing.cancel_wanted
        {
            start_on_node(inner, memory, &present).await?;
        }
    }
    if let Some((id, left)) = turn.blocked
        && let Some(record) = PERMIT.read(&inner.store, move |tx| record::by_id(tx, id)).await?
    {
        explain(inner, &record, left).await?;
    }
    Ok(())
}

async fn place(inner: &Inner, next: &[JobId], node_name: String) -> Result<(), Error> {
    if next.is_empty() {
        return Ok(());
    }
    let ids = next.to_vec();
    let now = inner.clock.now();
    let write = PERMIT.write(&inner.store, move |tx| {
        for id in &ids {
            record::happen(tx, *id, Event::Place, &node_name, now)?;
        }
        Ok::<_, Error>(())
    });
    write.await
}

async fn explain(inner: &Inner, record: &Record, left: Room) -> Result<(), Error> {
    let job = &record.job;
    let mib = |bytes: u64| bytes >> 20;
    let reason = format!(
        "waits for {} cores and {} MiB; {} cores and {} MiB are free",
        job.cores,
        mib(job.memory_bytes),
        left.cores,
        mib(left.memory_bytes)
    );
    if job.reason == reason {
        return Ok(());
    }
    let id = job.id;
    let write = PERMIT.write(&inner.store, move |tx| record::explain(tx, id, &reason));
    write.await
}
