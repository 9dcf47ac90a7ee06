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
) -> Zone {
    let listens = loopback(config);
    Zone {
        host: config.zone.host.clone(),
        version: VERSION.to_owned(),
        started_at: clock.now(),
        store_engine: store.engine_name(),
        listeners: Arc::clone(listeners),
        checks: Arc::new(move || vec![listens.clone()]),
    }
}

fn loopback(config: &Config) -> Check {
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
