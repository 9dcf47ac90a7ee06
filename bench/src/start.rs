//! From exec to the first answer, and the memory of a zone that nobody asks anything.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::{line, root, timed};

/// The longest from exec to the first answer.
const READY: Duration = Duration::from_secs(1);

/// The most memory of an idle zone, in MiB.
const IDLE_MIB: f64 = 60.0;

/// How long a zone is left alone before its memory is read.
const IDLE_FOR: Duration = Duration::from_secs(5);

/// Prints the report; holds if the zone is ready within a second and idles below 60 MiB.
pub(crate) fn report() -> Result<bool> {
    let built = Command::new("cargo")
        .args(["build", "--quiet", "--release", "--locked", "--package", "soke"])
        .current_dir(root())
        .status()?;
    ensure!(built.success(), "cargo build --release --package soke fails");
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("zone");
    let mut held = true;
    for what in ["start: new data folder", "start: known data folder"] {
        let (zone, took) = timed(|| start(&data));
        let mut zone = zone?;
        let figure = format!("{:.0} ms", took.as_secs_f64() * 1000.0);
        held &= line(what, &figure, "below 1000 ms", took < READY);
        if what.contains("known") {
            std::thread::sleep(IDLE_FOR);
            let resident = resident_mib(zone.id())?;
            held &= line(
                "start: memory when idle",
                &format!("{resident:.1} MiB"),
                "below 60 MiB",
                resident < IDLE_MIB,
            );
        }
        kill_process(Pid::from_child(&zone), Signal::TERM)?;
        let (ended, took) = timed(|| zone.wait());
        let figure = format!("{:.0} ms", took.as_secs_f64() * 1000.0);
        held &= line(
            "start: SIGTERM to end",
            &figure,
            "exit 0 below 5000 ms",
            ended?.success() && took.as_secs() < 5,
        );
        std::fs::remove_file(data.join("run/listeners.json")).ok();
    }
    Ok(held)
}

/// Starts a zone and waits for its first answer.
fn start(data: &Path) -> Result<Child> {
    let mut zone = Command::new(root().join("target/release/soke"))
        .env("SOKE_BUCKYOS__SYSTEM_CONFIG__ADDRESS", "0")
        .env("SOKE_BUCKYOS__NODE_GATEWAY__ADDRESS", "0")
        .args(["up", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .stdout(Stdio::null())
        .spawn()
        .context("start soke")?;
    for _ in 0..10_000 {
        if let Some(ended) = zone.try_wait()? {
            anyhow::bail!("soke ended: {ended}");
        }
        if answer(data).is_ok() {
            return Ok(zone);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    zone.kill()?;
    anyhow::bail!("soke was not ready after ten seconds")
}

/// Asks the status page over plain HTTP, which loopback may.
fn answer(data: &Path) -> Result<()> {
    let listeners: serde_json::Value =
        serde_json::from_slice(&std::fs::read(data.join("run/listeners.json"))?)?;
    let address = listeners["listeners"][0]["address"]
        .as_str()
        .context("an address")?;
    let mut stream = TcpStream::connect(address.parse::<SocketAddr>()?)?;
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    ensure!(text.starts_with("HTTP/1.1 200"), "not ready");
    Ok(())
}

/// The resident memory of a process and of its children, in MiB.
fn resident_mib(process: u32) -> Result<f64> {
    let children =
        std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    let mut kibibytes = 0.0;
    for id in std::iter::once(process.to_string()).chain(children.split_whitespace().map(str::to_owned)) {
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("VmRSS")?;
        kibibytes += line.trim().trim_end_matches(" kB").trim().parse::<f64>()?;
    }
    Ok(kibibytes / 1024.0)
}
