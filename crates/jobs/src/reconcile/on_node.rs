//! One node: what it says of its jobs meets their rows, and jobs that were placed there are started.
//!
//! A node that is away is left alone: its jobs stay as they are until it speaks again or is removed. What it leaves to
//! others: which jobs are placed here (the parent).

use std::{collections::BTreeMap, sync::Arc};

use model::{ErrorKind, JobId, Span};
use stage::{Cause, Exit, Observed};
use tokio_util::sync::CancellationToken;

use super::{AFTER_FAULT, PERIOD, PERMIT};
use crate::{
    Error, Inner, State,
    node::{Known, OnNode, Report},
    record::{self, Record, TOPIC},
    state::Event,
};

/// How often a step that failed on the node is tried for one job before the job is given up.
const MOST_TRIES: u32 = 10;

/// Failed tries to start jobs.
type Tries = BTreeMap<JobId, u32>;

/// Looks after one node until `stop`.
pub(super) async fn keep(inner: Arc<Inner>, known: Known, stop: CancellationToken) {
    let mut rows = inner.store.watch(TOPIC);
    let mut tries = Tries::new();
    loop {
        let pass = tokio::select! {
            () = stop.cancelled() => return,
            pass = pass(&inner, &known, &mut tries) => pass,
        };
        let longest = match pass {
            Ok(()) if tries.is_empty() => PERIOD,
            Ok(()) => AFTER_FAULT,
            Err(error) if is_away(&error) => {
                tracing::debug!(node = known.name, error = model::chain(&error), "a node is away");
                AFTER_FAULT
            }
            Err(error) => {
                tracing::warn!(
                    node = known.name,
                    error = model::chain(&error),
                    "a pass over a node's jobs failed and is repeated"
                );
                AFTER_FAULT
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = rows.changed() => {}
            () = known.node.changed() => {}
            () = tokio::time::sleep(longest) => {}
        }
    }
}

/// Whether a call failed because the node cannot be asked now, which says nothing about the job.
fn is_away(error: &Error) -> bool {
    matches!(error, Error::Away { .. })
        && matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Deadline)
}

/// One look at everything of this node that has not ended, and every step that follows from it.
async fn pass(inner: &Inner, known: &Known, tries: &mut Tries) -> Result<(), Error> {
    let node = known.node.as_ref();
    if !node.is_present() {
        return Ok(());
    }
    // The node first: a job that is placed in between is not expected there yet.
    let reports = node.observe().await?;
    let (cluster, name) = (inner.config.cluster.clone(), known.name.clone());
    let read = PERMIT.read(&inner.store, move |tx| record::placed_on(tx, &cluster, &name));
    let records = read.await?;
    let reported: BTreeMap<JobId, &Observed> = reports
        .iter()
        .map(|report| (report.id, &report.observed))
        .collect();
    tries.retain(|id, _| records.iter().any(|record| record.job.id == *id));
    for record in &records {
        meet(inner, node, tries, record, reported.get(&record.job.id).copied()).await?;
    }
    forget(inner, known, &reports).await
}

/// Brings one row and what the node says about it together.
async fn meet(
    inner: &Inner,
    node: &dyn OnNode,
    tries: &mut Tries,
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
        None => return start_on_node(inner, node, tries, record).await,
    }
    if record.standing.cancel_wanted {
        node.end(id).await?;
    }
    Ok(())
}

/// An event that can be made as often as its transaction is run.
pub(super) enum Happening {
    Started(model::Timestamp),
    Ended(Arc<Exit>),
    Lost,
    Gone,
}

/// Lets an event happen to a job. An end that cannot be settled is not written and holds up no other job: a later
/// pass finds the job as it was.
pub(super) async fn happen(
    inner: &Inner,
    id: JobId,
    happening: impl Fn() -> Happening + Send + 'static,
) -> Result<(), Error> {
    let (now, admission) = (inner.clock.now(), Arc::clone(&inner.admission));
    let write = PERMIT.write(&inner.store, move |tx| {
        let happening = happening();
        let event = match &happening {
            Happening::Started(at) => Event::Started(*at),
            Happening::Ended(exit) => Event::Ended(exit),
            Happening::Lost => Event::Lost,
            Happening::Gone => Event::Gone,
        };
        record::happen(tx, admission.as_ref(), id, event, "", now)
    });
    match write.await {
        Err(error @ (Error::Payer { .. } | Error::Refused { .. })) => {
            tracing::warn!(job = %id, error = model::chain(&error), "the end of a job is not settled and is tried again");
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Tells the node to start a job. A job that cannot be started there fails at once; a step that may work later is
/// repeated by later passes, so often, and holds up no other job. A node that went away meanwhile counts as no try.
async fn start_on_node(
    inner: &Inner,
    node: &dyn OnNode,
    tries: &mut Tries,
    record: &Record,
) -> Result<(), Error> {
    let id = record.job.id;
    let Err(error) = node.start(record.order()).await else {
        tries.remove(&id);
        return Ok(());
    };
    if is_away(&error) {
        return Err(error);
    }
    let tried = tries.entry(id).or_default();
    *tried += 1;
    let hopeless = matches!(
        error.kind(),
        ErrorKind::Invalid | ErrorKind::Precondition | ErrorKind::Denied
    );
    if !hopeless && *tried < MOST_TRIES {
        tracing::warn!(job = %id, error = model::chain(&error), "a job could not be started and is tried again");
        return Ok(());
    }
    tries.remove(&id);
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

/// Lets the node drop what is written down here, and end what should not run there.
async fn forget(inner: &Inner, known: &Known, reports: &[Report]) -> Result<(), Error> {
    for report in reports {
        let id = report.id;
        let read = PERMIT.read(&inner.store, move |tx| record::by_id(tx, id));
        let belongs_here = read
            .await?
            .is_some_and(|record| !record.standing.state.has_ended() && record.job.node_name == known.name);
        if belongs_here {
            continue;
        }
        match report.observed {
            Observed::Ended(_) | Observed::Lost => known.node.forget(id).await?,
            Observed::Starting | Observed::Running { .. } => known.node.end(id).await?,
        }
    }
    Ok(())
}
