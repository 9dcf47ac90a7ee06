//! A server as a process: where it listens, what its processor time was, and that it ends.

use std::{
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

/// What a server is shown that looks at no bearer: as long as a real one.
const NO_TOKEN: usize = 560;

/// A server that runs. It ends when this is dropped.
pub(crate) struct Server {
    name: &'static str,
    child: Child,
    address: SocketAddr,
    token: String,
}

impl Server {
    /// Starts a server and waits for its first line: its port, and behind it the bearer that it wants, where it wants
    /// one.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {name}"))?;
        let out = child.stdout.take().context("a pipe")?;
        // Whatever happens below, the process ends.
        let mut server = Self {
            name,
            child,
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            token: "x".repeat(NO_TOKEN),
        };
        let mut first = String::new();
        BufReader::new(out).read_line(&mut first)?;
        let mut words = first.split_whitespace();
        let Some(port) = words.next() else {
            bail!("{name} ended before it listened: {}", server.child.wait()?);
        };
        server.address.set_port(port.parse()?);
        if let Some(token) = words.next() {
            token.clone_into(&mut server.token);
        }
        Ok(server)
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The processor time of the process and of the children it has waited for, in user space and in the kernel: fields
    /// 14 to 17 of proc_pid_stat(5).
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The second field is a name in parentheses, which may hold anything.
        let (_, rest) = stat.rsplit_once(')').context("a name in parentheses")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let mut ticks = 0;
        for field in fields.get(11..15).context("fields 14 to 17")? {
            ticks += field.parse::<u64>()?;
        }
        let per_second = rustix::param::clock_ticks_per_second();
        ensure!(per_second > 0, "a clock that ticks");
        Ok(Duration::from_micros(ticks * 1_000_000 / per_second))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
