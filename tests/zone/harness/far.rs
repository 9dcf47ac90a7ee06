//! Another machine of a zone: a process of `soke join` with a data folder of its own, where asked for under another uid
//! or in a network of its own.
//!
//! What it leaves to others: what is expected of it (the tests).

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::chown,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{FREE_PORTS, LONG, Zone, eventually, finished};

/// A machine that joined, or can. Its agent is stopped and its folder goes with the zone's.
pub(crate) struct Far {
    name: String,
    folder: PathBuf,
    /// What the command begins with: nothing, or what brings it into another network.
    inside: Vec<String>,
    binary: PathBuf,
    uid: Option<u32>,
    agent: Option<Child>,
    starts: u32,
}

/// Where a machine finds the zone, and the token that lets it in.
pub(crate) struct Invitation {
    pub(crate) server: String,
    pub(crate) token: String,
}

impl Zone {
    /// Makes a token as the owner, who has signed in.
    pub(crate) fn invite(&self) -> Invitation {
        let said = self.good(&["token"]);
        let mut lines = said.lines().rev();
        let token = lines.next().expect("a token").to_owned();
        let server = lines.next().and_then(|line| line.strip_prefix("soke join "));
        Invitation {
            server: server.expect("the command").to_owned(),
            token,
        }
    }

    /// A machine of this name that has not joined yet.
    pub(crate) fn far(&self, name: &str) -> Far {
        let folder = self.around().join(name);
        fs::create_dir(&folder).expect("a folder");
        if let Some(uid) = self.builder.uid {
            chown(&folder, Some(uid), Some(uid)).expect("root may give files away");
        }
        Far {
            name: name.to_owned(),
            folder,
            inside: Vec::new(),
            binary: self.binary(),
            uid: self.builder.uid,
            agent: None,
            starts: 0,
        }
    }

    /// A machine of this name that has joined and can take work.
    pub(crate) fn joined(&self, name: &str) -> Far {
        let mut far = self.far(name);
        far.join(&self.invite());
        self.until_node(name, "live");
        far
    }

    /// Waits until a node is as the list of nodes should show it.
    pub(crate) fn until_node(&self, name: &str, state: &str) {
        eventually(LONG, &format!("node {name} is {state}"), || {
            self.has_node(name, state).then_some(())
        });
    }

    /// Whether the list of nodes shows this one so.
    pub(crate) fn has_node(&self, name: &str, state: &str) -> bool {
        let listed = self.good(&["nodes"]);
        let mut lines = listed.lines().map(str::split_whitespace);
        lines.any(|mut words| words.next() == Some(name) && words.next() == Some(state))
    }
}

impl Far {
    /// The same machine, with its agent in this network namespace.
    pub(crate) fn in_network(mut self, namespace: &str) -> Self {
        self.inside = vec!["nsenter".to_owned(), format!("--net=/run/netns/{namespace}")];
        self
    }

    /// Its data folder.
    pub(crate) fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// A command of the binary on this machine.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut words = self.inside.clone();
        if let Some(uid) = self.uid {
            words.extend([
                "setpriv".to_owned(),
                format!("--reuid={uid}"),
                format!("--regid={uid}"),
            ]);
            words.extend(["--clear-groups", "--inh-caps=-all", "--"].map(str::to_owned));
        }
        words.push(self.binary.display().to_string());
        let (program, first) = words.split_first().expect("a program");
        let mut command = Command::new(program);
        command
            .args(first)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", &self.folder)
            .envs(FREE_PORTS.iter().copied())
            .current_dir("/")
            .arg("--data")
            .arg(&self.folder)
            .args(arguments);
        command
    }

    fn begin(&mut self, arguments: &[&str], input: &str) {
        assert!(self.agent.is_none(), "the agent runs already");
        self.starts += 1;
        let log = self.folder.with_extension(format!("{}.log", self.starts));
        let mut agent = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(log).expect("a file"))
            .spawn()
            .expect("it starts");
        let mut stdin = agent.stdin.take().expect("a pipe");
        writeln!(stdin, "{input}").expect("it listens");
        self.agent = Some(agent);
    }

    /// Joins, and stays a node.
    pub(crate) fn join(&mut self, invitation: &Invitation) {
        let name = self.name.clone();
        self.begin(&["join", &invitation.server, "--name", &name], &invitation.token);
    }

    /// Comes back as the node that it is.
    pub(crate) fn start(&mut self) {
        self.begin(&["join"], "");
    }

    /// What its present agent has logged.
    pub(crate) fn log(&self) -> String {
        let path = self.folder.with_extension(format!("{}.log", self.starts));
        fs::read_to_string(path).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        let agent = self.agent.as_ref().expect("its agent runs");
        let pid = Pid::from_raw(i32::try_from(agent.id()).expect("small")).expect("not zero");
        kill_process(pid, signal).expect("our child");
    }

    /// Stops its agent in order.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        let mut agent = self.agent.take().expect("its agent runs");
        let status = finished(&mut agent, LONG).expect("it ends");
        assert_eq!(status.code(), Some(0), "{status:?}: {}", self.log());
    }

    /// Kills its agent as a power cut would, but for what runs there.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        let mut agent = self.agent.take().expect("its agent runs");
        finished(&mut agent, LONG).expect("it ends");
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            self.agent = None;
            let pid = i32::try_from(agent.id()).ok().and_then(Pid::from_raw);
            let asked = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
            if !asked || finished(&mut agent, Duration::from_secs(10)).is_none() {
                agent.kill().expect("our child");
                agent.wait().expect("our child");
            }
        }
        super::end_work(&self.folder);
    }
}
