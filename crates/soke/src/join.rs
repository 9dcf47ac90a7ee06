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
use tasks::{Clock, Policy, Tasks};
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
    let signals = StopSignals::listen().map_err(Failure::System)?;
    let (clock, tasks) = (Clock::system(), Tasks::new());
    let (link, work) = (tasks.child(), tasks.child());
    let mut end = End {
        signals,
        stdin: Tasks::new(),
        watches: false,
    };
    if let Some(server) = &asked.server {
        let invitation = Invitation {
            server: server.clone(),
            token: join_token::read(asked)?,
            name: asked.name.clone().unwrap_or_else(machine::name),
        };
        end.watch_stdin(asked)?;
        let joining = agent::node::join(&file, &invitation, &clock);
        tokio::select! {
            joined = joining => drop(joined?),
            () = end.come() => return Ok(0),
        }
    }
    end.watch_stdin(asked)?;
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
        () = end.come() => {
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

/// What this process ends with.
struct End {
    signals: StopSignals,
    /// Cancelled when standard input ends, where that is watched.
    stdin: Tasks,
    watches: bool,
}

impl End {
    /// Watches standard input from here on, where that was asked for; once is enough.
    fn watch_stdin(&mut self, asked: &Join) -> Result<(), Failure> {
        if !asked.while_stdin_is_open || self.watches {
            return Ok(());
        }
        self.watches = true;
        let ended = self.stdin.token();
        let watch = move || {
            // Whatever ends it, an error too, there is nobody on the other side.
            drop(io::copy(&mut io::stdin().lock(), &mut io::sink()));
            ended.cancel();
        };
        // Nobody waits for this thread: a read of standard input cannot be called off.
        let started = self.stdin.thread("soke.standard input", Policy::MayEnd, watch);
        started.map_err(Failure::System)
    }

    /// Waits for a signal, or the end of standard input where that is watched.
    async fn come(&mut self) {
        let stdin = self.stdin.token();
        tokio::select! {
            () = self.signals.next() => {}
            () = stdin.cancelled() => {}
        }
    }
}

fn say(text: &str) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{text}").map_err(Failure::System)
}
