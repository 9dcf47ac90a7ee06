//! gRPC servers beside each other: calls per second and processor time per call, for the same load in one run.
//!
//! | server | what it is |
//! | --- | --- |
//! | `tonic` | the library by itself, with its own listener: what the others are compared with |
//! | `rpc` | the same service behind `rpc::serve` and `rpc::Calls`: deadline, limits, request id |
//! | `soke` | behind the zone's front door too, each call with its bearer looked at, its right asked for and counted for the audit trail, as every reading call of `soke.v1` is |
//! | `grpc-js`, `grpcio`, `grpc-go` | where `tests/tools/install` and a Go toolchain have put them |
//!
//! Each server is a process of its own. They take turns, mode by mode and round by round, and what is compared is the
//! median of the rounds' ratios: absolute rates of a machine that does other work as well say little. The load comes from
//! this process, straight from HTTP/2; it sends each call with a deadline and with the bearer, to every server.

mod bare;
mod load;
mod peers;
mod process;
mod service;
mod zone;

use std::time::Duration;

use anyhow::{Result, bail};

use crate::{line, say};
use load::{Kind, Mode};
use process::Server;

/// The loads.
const MODES: &[Mode] = &[
    Mode {
        name: "unary, 1 connection, 100 at a time",
        connections: 1,
        streams: 100,
        kind: Kind::Unary,
    },
    Mode {
        name: "unary, 50 connections, 2 at a time each",
        connections: 50,
        streams: 2,
        kind: Kind::Unary,
    },
    Mode {
        name: "both ways, messages of 1 KiB",
        connections: 2,
        streams: 4,
        kind: Kind::Echo {
            size: 1024,
            messages: 400,
        },
    },
    Mode {
        name: "both ways, messages of 1 MiB",
        connections: 2,
        streams: 2,
        kind: Kind::Echo {
            size: 1024 * 1024,
            messages: 6,
        },
    },
];

/// The least rate beside bare tonic, with everything on.
const LEAST_RATE: f64 = 0.9;
/// The most processor time per call beside bare tonic.
const MOST_CPU: f64 = 1.25;
/// The server that the gate is for.
const GATED: &str = "soke";

/// How often each server is measured in each mode, and for how long each time.
struct Measure {
    rounds: usize,
    each: Duration,
    only: Option<String>,
}

/// What one server did in one round.
#[derive(Debug, Clone, Copy)]
struct Sample {
    per_second: f64,
    cpu_micros: f64,
}

/// Serves one of our own servers until the program that started it goes; its port is the first line it prints.
pub(crate) fn serve(kind: &str) -> Result<()> {
    match kind {
        "tonic" => bare::serve(),
        "rpc" => zone::serve_alone(),
        "soke" => zone::serve_all(),
        other => bail!("there is no server `{other}`"),
    }
}

/// Prints the report; holds if our server keeps up with the bare library. Options: `--rounds 9`, `--millis 700`,
/// `--only tonic,soke`.
pub(crate) fn report(options: &[String]) -> Result<bool> {
    let measure = Measure::read(options)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut servers = Vec::new();
    for started in peers::start() {
        match started {
            Ok(server) if measure.wants(server.name()) => servers.push(server),
            Ok(_) => {}
            Err((name, missing)) => {
                line(&format!("grpc: {name}"), "not run", &missing.to_string(), true);
            }
        }
    }
    let mut held = true;
    for mode in MODES {
        let mut samples = vec![Vec::new(); servers.len()];
        say(&format!("grpc: {}   load average {}", mode.name, load_average()));
        for round in 0..measure.rounds {
            // Each begins a round in its turn: on a busy machine it matters who comes first.
            for turn in 0..servers.len() {
                let at = (round + turn) % servers.len();
                let sample = runtime.block_on(one_round(&servers[at], mode, measure.each))?;
                samples[at].push(sample);
            }
        }
        held &= tell(mode, &servers, &samples);
    }
    Ok(held)
}

impl Measure {
    fn read(options: &[String]) -> Result<Self> {
        let mut measure = Self {
            rounds: 9,
            each: Duration::from_millis(700),
            only: None,
        };
        for pair in options.chunks(2) {
            match pair {
                [name, value] if name == "--rounds" => measure.rounds = value.parse()?,
                [name, value] if name == "--millis" => measure.each = Duration::from_millis(value.parse()?),
                [name, value] if name == "--only" => measure.only = Some(value.clone()),
                _ => bail!("options are --rounds, --millis and --only, not {pair:?}"),
            }
        }
        Ok(measure)
    }

    fn wants(&self, name: &str) -> bool {
        let listed = |only: &String| only.split(',').any(|one| one == name);
        self.only.as_ref().is_none_or(listed)
    }
}

async fn one_round(server: &Server, mode: &Mode, each: Duration) -> Result<Sample> {
    let done = load::run(server, mode, each).await?;
    // Rates lose no precision that matters here.
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
    let count = done.count as f64;
    Ok(Sample {
        per_second: count / done.took.as_secs_f64(),
        cpu_micros: done.cpu.as_secs_f64() * 1e6 / count,
    })
}

/// Prints one mode's table and says whether the gate holds.
fn tell(mode: &Mode, servers: &[Server], samples: &[Vec<Sample>]) -> bool {
    let bare = samples.iter().zip(servers);
    let bare = bare.clone().find(|(_, server)| server.name() == "tonic");
    let what = mode.kind.counted();
    say(&format!(
        "  {:<10} {:>12} {:>14} {:>14} {:>10}",
        "server",
        format!("{what}/s"),
        "of tonic's",
        format!("CPU us/{what}"),
        "of tonic's"
    ));
    let mut held = true;
    for (server, own) in servers.iter().zip(samples) {
        let rate = median(own.iter().map(|sample| sample.per_second));
        let cpu = median(own.iter().map(|sample| sample.cpu_micros));
        let ratios = bare.map(|(bare, _)| {
            let pairs = || own.iter().zip(bare);
            (
                median(pairs().map(|(own, bare)| own.per_second / bare.per_second)),
                median(pairs().map(|(own, bare)| own.cpu_micros / bare.cpu_micros)),
            )
        });
        let (rates, cpus) = ratios.unwrap_or((f64::NAN, f64::NAN));
        say(&format!(
            "  {:<10} {rate:>12.0} {rates:>14.2} {cpu:>14.2} {cpus:>10.2}",
            server.name()
        ));
        if server.name() == GATED && ratios.is_some() {
            held &= line(
                "  grpc: rate beside tonic",
                &format!("{rates:.2}"),
                "at least 0.90",
                rates >= LEAST_RATE,
            );
            held &= line(
                "  grpc: CPU beside tonic",
                &format!("{cpus:.2}"),
                "at most 1.25",
                cpus <= MOST_CPU,
            );
        }
    }
    held
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}
