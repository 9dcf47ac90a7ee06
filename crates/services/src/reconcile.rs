//! Makes what one node does equal to what its rows want, again and again, from what both say now.
//!
//! It takes no input: a change of rows, news from the node or the passing of time only wake it, and every pass looks
//! at all services of the node. So a crash between any two steps is repaired by the next pass. What it leaves to
//! others: what an observation means (module `state`), which node has a service (module `place`).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use access::SystemPermit;
use model::{ErrorKind, NodeId, RunId, Timestamp};
use store::Tx;
use tasks::{Policy, Tasks};

use crate::{
    Error, Inner, State,
    node::{Machine, Observed, OnNode, Report},
    record::{self, Record, TOPIC},
    state::Step,
};

/// The right under which the reconciler writes.
const PERMIT: SystemPermit = SystemPermit::new("services.reconcile");
/// A pass at least this often, whatever was missed.
const PERIOD: Duration = Duration::from_secs(5);
/// How long after a failed pass the next one begins, and how often a node that is away is looked for.
const AFTER_FAULT: Duration = Duration::from_secs(1);
/// The least time from one pass to the next, where only time wakes it.
const LEAST: Duration = Duration::from_millis(10);

/// Looks after one node.
pub(crate) fn start(inner: Arc<Inner>, machine: Machine, tasks: &Tasks) {
    let token = tasks.token();
    let name = format!("services.reconcile {}", machine.name);
    tasks.spawn(name, Policy::MayEnd, async move {
        let mut rows = inner.store.watch(TOPIC);
        let mut said = String::new();
        loop {
            let longest = tokio::select! {
                () = token.cancelled() => return,
                longest = look(&inner, &machine, &mut said) => longest,
            };
            let node = inner.nodes.on(machine.id);
            let news = async {
                match &node {
                    Some(node) => node.changed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = token.cancelled() => return,
                () = rows.changed() => {}
                () = news => {}
                () = tokio::time::sleep(longest) => {}
            }
        }
    });
}

/// One pass where the node is there; says how long the next one may be away.
/// What failed is said once, however often it fails in a row.
async fn look(inner: &Inner, machine: &Machine, said: &mut String) -> Duration {
    let Some(node) = inner.nodes.on(machine.id) else {
        return AFTER_FAULT;
    };
    match pass(inner, machine.id, &*node).await {
        Ok(next) => {
            said.clear();
            next
        }
        Err(error) => {
            let (node, error) = (machine.name.as_str(), model::chain(&error));
            if *said != error {
                let what = "a pass over the services of a node failed and is repeated";
                tracing::warn!(node, error, "{what}");
                *said = error;
            }
            AFTER_FAULT
        }
    }
}

/// One look at everything of a node, and every step that follows from it.
async fn pass(inner: &Inner, id: NodeId, node: &dyn OnNode) -> Result<Duration, Error> {
    let reports = node.observe().await?;
    let records = PERMIT
        .read(&inner.store, move |tx| record::on_node(tx, id))
        .await?;
    let reported: BTreeMap<RunId, &Observed> = reports
        .iter()
        .map(|report| (report.run, &report.observed))
        .collect();
    let mut next = PERIOD;
    for record in &records {
        let run = record.standing.run.map(|run| run.id);
        let observed = run.and_then(|run| reported.get(&run).copied());
        next = next.min(meet(inner, node, record, observed).await?);
    }
    clear(node, &records, &reports).await?;
    Ok(next)
}

/// Brings one row and what the node says about it together; says when it wants to be looked at again.
async fn meet(
    inner: &Inner,
    node: &dyn OnNode,
    record: &Record,
    observed: Option<&Observed>,
) -> Result<Duration, Error> {
    let (now, fresh) = (inner.clock.now(), RunId::fresh(inner.clock.now()));
    let restart = inner.config.restart;
    let looked_at = record.standing.run;
    let (expected, _) = record.standing.meet(observed, restart, now, fresh);
    let step = if expected == record.standing {
        record.standing.meet(observed, restart, now, fresh).1
    } else {
        let (id, observed) = (record.id, observed.cloned());
        let write = PERMIT.write(&inner.store, move |tx| {
            let happened = record::happen(tx, id, |record, standing| {
                // What the node said is about this run and no other.
                if record.standing.run != looked_at {
                    return Step::Nothing;
                }
                let (next, step) = record.standing.meet(observed.as_ref(), restart, now, fresh);
                *standing = next;
                step
            })?;
            Ok::<_, Error>(happened.map_or(Step::Nothing, |(_, step)| step))
        });
        write.await?
    };
    match step {
        Step::Nothing => {}
        Step::Start(run) => return start_on_node(inner, node, record, run).await,
        Step::End(run) => node.end(run).await?,
        Step::Forget(run) => node.forget(run).await?,
    }
    Ok(until(expected.next_start_at, now))
}

/// How long from now to the next start; at most a period.
fn until(next_start_at: Option<Timestamp>, now: Timestamp) -> Duration {
    let wait = next_start_at.map(|at| (at - now).to_std());
    wait.map_or(PERIOD, |wait| wait.clamp(LEAST, PERIOD))
}

/// Tells the node to start a run. One that cannot run there has failed; a step that may work later is repeated.
async fn start_on_node(
    inner: &Inner,
    node: &dyn OnNode,
    record: &Record,
    run: RunId,
) -> Result<Duration, Error> {
    let order = record.order(run, inner.config.default_memory_bytes);
    let Err(error) = node.start(order).await else {
        return Ok(PERIOD);
    };
    let hopeless = matches!(
        error.kind(),
        ErrorKind::Invalid | ErrorKind::Precondition | ErrorKind::Denied
    );
    let (id, reason) = (record.id, model::chain(&error));
    let fail = move |tx: &mut Tx<'_>| {
        let happened = record::happen(tx, id, |_record, standing| {
            if standing.run.is_some_and(|known| known.id == run) {
                standing.reason.clone_from(&reason);
                if hopeless {
                    standing.run = None;
                    standing.state = State::Failed;
                }
            }
        })?;
        Ok::<_, Error>(happened.map(drop))
    };
    PERMIT.write(&inner.store, fail).await?;
    Ok(AFTER_FAULT)
}

/// Lets the node drop runs that no row names, and ends those that still run.
async fn clear(node: &dyn OnNode, records: &[Record], reports: &[Report]) -> Result<(), Error> {
    for report in reports {
        let named = |record: &Record| record.standing.run.is_some_and(|run| run.id == report.run);
        if records.iter().any(named) {
            continue;
        }
        match report.observed {
            Observed::Ended(_) | Observed::Lost => node.forget(report.run).await?,
            Observed::Starting | Observed::Running { .. } => node.end(report.run).await?,
        }
    }
    Ok(())
}
