//! `soke join`: this machine becomes a node of a zone on another one, and stays it until it is stopped.
//!
//! What it leaves to others: the join itself and the link (`agent`). No work is done on a node yet.

use std::{
    io::{self, BufRead as _, Write as _},
    path::{Path, PathBuf},
    thread::available_parallelism,
    time::Duration,
};

use access::Secret;
use agent::node::{Invitation, Machine, Settings};
use tasks::{Clock, Tasks};
use tokio::runtime::Runtime;

use crate::{
    args::Join,
    config::{Config, Environment, Flags},
    failure::Failure,
    lock::Lock,
    log,
    signals::StopSignals,
    wiring,
};

/// How long what runs may take to end.
const GRACE: Duration = Duration::from_secs(4);

/// Joins where this machine is no node yet, and keeps the link until a signal.
pub(crate) fn join(asked: &Join, data: Option<&Path>, environment: &Environment) -> Result<u8, Failure> {
    let flags = Flags {
        data: data.map(Path::to_owned),
        ..Flags::default()
    };
    let config = Config::load(&flags, environment)?;
    log::start(&config.log);
    let lock = Lock::take(&config.data)?;
    let runtime = Runtime::new().map_err(Failure::System)?;
    let code = runtime.block_on(stay(asked, config.data.join("node").join("node.toml")));
    runtime.shutdown_background();
    drop(lock);
    code
}

async fn stay(asked: &Join, file: PathBuf) -> Result<u8, Failure> {
    let mut signals = StopSignals::listen().map_err(Failure::System)?;
    let (clock, tasks) = (Clock::system(), Tasks::new());
    if let Some(server) = &asked.server {
        let invitation = Invitation {
            server: server.clone(),
            token: token(asked)?,
            name: asked.name.clone().unwrap_or_else(own_name),
        };
        let joining = agent::node::join(&file, &invitation, &clock);
        tokio::select! {
            joined = joining => drop(joined?),
            () = signals.next() => return Ok(0),
        }
    }
    let member = agent::node::read(&file)?;
    let (name, address) = (&member.name, &member.address);
    say(&format!(
        "node {name} of the zone at {}, address {address}",
        member.server
    ))?;
    let calls = wiring::node_work();
    let (settings, machine) = (Settings::default(), this_machine());
    let kept = agent::node::keep(file, machine, &settings, &calls, &clock, &tasks);
    tokio::select! {
        kept = kept => kept?,
        () = signals.next() => {}
    }
    tasks.stop(GRACE).await;
    Ok(0)
}

/// The token as given, or read from standard input, where the list of processes does not show it.
fn token(asked: &Join) -> Result<Secret, Failure> {
    if let Some(token) = &asked.token {
        return Ok(Secret::from(token.clone()));
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(Failure::System)?;
    Ok(Secret::from(line))
}

fn say(text: &str) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{text}").map_err(Failure::System)
}

/// The machine's host name up to its first dot, in lower case.
fn own_name() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .to_ascii_lowercase();
    name.split('.').next().unwrap_or_default().to_owned()
}

fn this_machine() -> Machine {
    let info = rustix::system::sysinfo();
    let memory_bytes = u64::from(info.mem_unit) * info.totalram;
    let cores = available_parallelism().map_or(1, usize::from);
    Machine {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
        memory_bytes,
    }
}
