//! What Soke reaches on this machine, each figure next to its bound: `make bench`.
//!
//! | report | what it measures |
//! | --- | --- |
//! | `start` | from exec to the first answer, on a new and on a known data folder; memory when nobody asks |
//! | `commit` | durable writes per second through the store, by number of writers, beside etcd's |
//! | `grpc` | calls per second and processor time per call of gRPC servers beside bare tonic: `make bench-grpc` |
//! | `build` | a cold build of the binary, and a build after one changed file |
//!
//! A report's name as argument runs that one alone; `grpc` takes options behind it. The program ends with failure if a bound is not met.

mod build;
mod commit;
mod etcd;
mod grpc;
mod start;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

fn main() -> Result<ExitCode> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    match wanted.as_slice() {
        [serve, kind] if serve == "grpc-serve" => return grpc::serve(kind).map(|()| ExitCode::SUCCESS),
        [report, options @ ..] if report == "grpc" => return Ok(verdict(grpc::report(options)?)),
        _ => {}
    }
    let mut held = true;
    for report in ["start", "commit", "grpc", "build"] {
        if wanted.is_empty() || wanted.iter().any(|name| name == report) {
            held &= match report {
                "start" => start::report()?,
                "commit" => commit::report()?,
                "grpc" => grpc::report(&[])?,
                "build" => build::report()?,
                other => bail!("there is no report `{other}`"),
            };
        }
    }
    Ok(verdict(held))
}

fn verdict(held: bool) -> ExitCode {
    if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints a figure with its bound and says whether the bound is met.
fn line(what: &str, figure: &str, bound: &str, met: bool) -> bool {
    let verdict = if met { "" } else { "   NOT MET" };
    say(&format!("{what:<34} {figure:>14}   {bound}{verdict}"));
    met
}

fn say(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}

/// The repository's folder.
fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// Measures how long something takes.
#[expect(
    clippy::disallowed_methods,
    reason = "a bench measures real time and has no clock to be handed"
)]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let answer = work();
    (answer, start.elapsed())
}
