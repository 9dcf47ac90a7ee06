//! The native door hears how the zone is from everybody who knows a part of it.
//!
//! What it leaves to others: judging the parts.

use std::sync::{Arc, OnceLock};

use agent::JobNodes;
use native::{Bound, Check, Health, Zone};
use store::Store;
use tasks::{Clock, Tasks};

use crate::{config::Config, version::VERSION};

/// The packages that the native listener serves beside its own: those of `scow::add_to`.
const BESIDE: &[&str] = &["scow.common", "scow.portal"];

/// Those of their services that are built, and the check of [`work`] for what only a machine can do.
const PARTS_BESIDE: &[(&str, Option<&str>)] = &[
    ("scow.common.ConfigService", None),
    ("scow.portal.FileService", Some("work")),
    ("scow.portal.JobService", Some("work")),
];

/// What `soke status` shows of the zone beside the slices' own figures.
pub(crate) fn zone_in_words(
    config: &Config,
    store: &Store,
    clock: &Clock,
    bound: &Arc<OnceLock<Bound>>,
    nodes: JobNodes,
    // What stops first of all.
    listening: &Tasks,
) -> Zone {
    let reach = reach(config);
    Zone {
        host: config.zone.host.clone(),
        version: VERSION.to_owned(),
        started_at: clock.now(),
        store_engine: store.engine_name(),
        bound: Arc::clone(bound),
        beside: BESIDE,
        parts_beside: PARTS_BESIDE,
        stopping: listening.token(),
        checks: Arc::new(move || {
            std::iter::once(reach.clone())
                .chain(work(&nodes))
                .chain(two_of_one(&nodes))
                .collect()
        }),
    }
}

fn reach(config: &Config) -> Check {
    let text = if config.native.listen.is_loopback() {
        "this machine only; `soke up --listen ADDRESS:PORT` opens it to others"
    } else {
        "open to other machines, over TLS"
    };
    Check {
        name: "reach".to_owned(),
        health: Health::Ok,
        text: text.to_owned(),
    }
}

/// Machines whose data folder was copied.
fn two_of_one(nodes: &JobNodes) -> Vec<Check> {
    let check = |text| Check {
        name: "nodes".to_owned(),
        health: Health::Bad,
        text,
    };
    nodes.alarms().into_iter().map(check).collect()
}

/// How far work of users is set apart on each node; one line for each thing that is missing.
fn work(nodes: &JobNodes) -> Vec<Check> {
    let check = |health, text: String| Check {
        name: "work".to_owned(),
        health,
        text,
    };
    let capacities = nodes.capacities();
    if capacities.is_empty() {
        return vec![check(
            Health::Bad,
            "no node has a link: no job can run".to_owned(),
        )];
    }
    let several = capacities.len() > 1;
    let of_one = |node: jobs::node::Capacity| {
        let name = node.name;
        if node.reduced.is_empty() {
            let text = format!("{name} runs jobs, each user's set apart from all others");
            return vec![check(Health::Ok, text)];
        }
        let named = |text: String| if several { format!("{name}: {text}") } else { text };
        let lines = node.reduced.into_iter();
        lines.map(|text| check(Health::Reduced, named(text))).collect()
    };
    capacities.into_iter().flat_map(of_one).collect()
}
