//! The native door hears how the zone is from everybody who knows a part of it.
//!
//! What it leaves to others: judging the parts.

use std::sync::{Arc, OnceLock};

use native::{Check, Health, Zone};
use store::Store;
use tasks::Clock;

use crate::{config::Config, version::VERSION};

/// What `soke status` shows of the zone beside the slices' own figures.
pub(crate) fn zone_in_words(
    config: &Config,
    store: &Store,
    clock: &Clock,
    listeners: &Arc<OnceLock<Vec<String>>>,
    jobs: &jobs::Handle,
) -> Zone {
    let mut checks = vec![reach(config)];
    checks.extend(work(jobs));
    Zone {
        host: config.zone.host.clone(),
        version: VERSION.to_owned(),
        started_at: clock.now(),
        store_engine: store.engine_name(),
        listeners: Arc::clone(listeners),
        checks: Arc::new(move || checks.clone()),
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

/// How far work of users is set apart on this machine; one line for each thing that is missing.
fn work(jobs: &jobs::Handle) -> Vec<Check> {
    let check = |health, text: String| Check {
        name: "work".to_owned(),
        health,
        text,
    };
    let node = jobs.node();
    let reduced = node.reduced;
    if reduced.is_empty() {
        let text = format!("{} runs jobs, each user's set apart from all others", node.name);
        return vec![check(Health::Ok, text)];
    }
    let lines = reduced.into_iter();
    lines.map(|text| check(Health::Reduced, text)).collect()
}
