//! `soke join`: this machine becomes a node of a zone on another one, and stays it until it is stopped.
//!
//! What it leaves to others: the join itself and the link (`agent`), and the work (`wiring`).

use std::{
    io::{self, Write as _},
    path::Path,
    pin::pin,
    time::Duration,
};

use agent::node::{Invitation, Settings};
use tasks::{Clock, Tasks};
use tokio::runtime::Runtime;

use crate::{
    args::Join,
    config::{Config, Environment, Flags},
    failure::Failure,
    join_token,
    lock::Lock,
    log, machine,
    signals::StopSignals,
    wiring,
};

/// How long calls of the server may take to end.
const GRACE: Duration = Duration::from_secs(4);
/// How long everything else may take.
const REST: Duration = Duration::from_millis(500);

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
    let code = runtime.block_on(stay(asked, &config));
    runtime.shutdown_background();
    drop(lock);
    code
}

async fn stay(asked: &Join, config: &Config) -> Result<u8, Failure> {
    let file = wiring::node_folder(config).join("node.toml");
    let mut signals = StopSignals::listen().map_err(Failure::System)?;
    let (clock, tasks) = (Clock::system(), Tasks::new());
    let (link, work) = (tasks.child(), tasks.child());
    if let Some(server) = &asked.server {
        let invitation = Invitation {
            server: server.clone(),
            token: join_token::read(asked)?,
            name: asked.name.clone().unwrap_or_else(machine::name),
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
    let calls = wiring::node_work(wiring::NodeParts {
        config,
        name: &member.name,
        clock: &clock,
        link: &link,
        work: &work,
    });
    let calls = calls.await?;
    let (settings, machine) = (Settings::default(), machine::facts());
    let kept = agent::node::keep(file, machine, &settings, &calls, &clock, &link);
    let mut kept = pin!(kept);
    tokio::select! {
        kept = &mut kept => kept?,
        () = signals.next() => {
            // Calls that run end first; jobs go on without their agent.
            link.token().cancel();
            if let Ok(kept) = tokio::time::timeout(GRACE, kept).await {
                kept?;
            }
        }
    }
    tasks.stop(REST).await;
    Ok(0)
}

fn say(text: &str) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{text}").map_err(Failure::System)
}
