//! The native door hears how the zone is from everybody who knows a part of it.
//!
//! What it leaves to others: judging the parts.

use std::sync::{Arc, OnceLock};

use confine::Confine;
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
    machine: &Confine,
) -> Zone {
    let mut checks = vec![reach(config)];
    checks.extend(work(machine));
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
fn work(machine: &Confine) -> Vec<Check> {
    let check = |health, text: String| Check {
        name: "work".to_owned(),
        health,
        text,
    };
    let reduced = machine.abilities().reduced();
    if reduced.is_empty() {
        let text = "each user's work is set apart by user, namespaces and walls";
        return vec![check(Health::Ok, text.to_owned())];
    }
    let lines = reduced.into_iter();
    lines.map(|text| check(Health::Reduced, text)).collect()
}
