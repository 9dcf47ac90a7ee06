//! PostgreSQL: several connections, one closure at a time on each, and one connection that listens.
//!
//! What it leaves to others: what the closures do.

mod listener;
mod session;
mod setup;
mod worker;

use std::{
    net::IpAddr,
    str::FromStr as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use postgres::{
    Config,
    config::{Host, SslMode},
};
use tasks::{Policy, Tasks};

use crate::{Error, Migration, Shared, queue::Queues};

pub(crate) use session::Session;
use worker::Worker;

/// How many connections write. Two, so that one runs closures while the other waits for the sync of its commit; more
/// would only make smaller groups, which wait for each other at [`crate::Tx::change`].
const WRITERS: usize = 2;
/// The channel on which servers tell each other that changes were committed.
const CHANNEL: &str = "soke_changes";

/// Connects, migrates and starts the threads.
pub(crate) fn open(
    url: &str,
    connections: usize,
    migrations: &[Migration],
    shared: &Shared,
) -> Result<Queues, Error> {
    let config = configure(url)?;
    let mut session = Session::connect(&config)?;
    setup::check(&mut session)?;
    setup::migrate(&mut session, migrations)?;
    let newest = setup::newest_revision(&mut session)?;
    let listener = listener::Listener::new(
        config.clone(),
        Arc::clone(&shared.feed),
        shared.tasks.token(),
        newest,
    );
    start(&shared.tasks, "store.listener", move || listener.run())?;
    let (queues, ends) = Queues::new();
    let (writes, reads) = (
        Arc::new(Mutex::new(ends.writes)),
        Arc::new(Mutex::new(ends.reads)),
    );
    let turn = Arc::new(Mutex::new(()));
    let mut first = Some(session);
    for number in 1..=connections.max(WRITERS + 1) {
        let worker = Worker::new(config.clone(), first.take(), shared, &turn);
        let (writes, reads) = (Arc::clone(&writes), Arc::clone(&reads));
        let run = move || {
            if number <= WRITERS {
                worker.write(&writes);
            } else {
                worker.read(&reads);
            }
        };
        start(&shared.tasks, &format!("store.worker{number}"), run)?;
    }
    Ok(queues)
}

fn start(tasks: &Tasks, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let started = tasks.thread(name, Policy::StopAll, run);
    started.map_err(|source| Error::Thread { source })
}

fn configure(url: &str) -> Result<Config, Error> {
    // The parser's own words may hold parts of the address, so they are not passed on.
    let mut config = Config::from_str(url).map_err(|_secret| Error::BadAddress)?;
    let near =
        config.get_hosts().iter().all(is_near) && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
    if !near && config.get_ssl_mode() != SslMode::Disable {
        return Err(Error::Unfit {
            what: "the address leads over the network, and the store does not speak TLS".to_owned(),
            cure: "use a Unix socket or a tunnel that ends on this machine, or add `sslmode=disable` to the \
                   address where the network is trusted with the password and every row",
        });
    }
    config
        .application_name("soke")
        .connect_timeout(Duration::from_secs(5))
        .tcp_user_timeout(Duration::from_secs(15))
        .keepalives_idle(Duration::from_secs(30));
    Ok(config)
}

fn is_near(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
    }
}
