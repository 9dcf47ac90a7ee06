//! A zone for one test: its folder, its server process, its command line and its wire.
//!
//! What it leaves to others: what is expected of them (the tests).

pub(crate) mod far;
pub(crate) mod wait;
pub(crate) mod wire;

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub(crate) use far::{Far, Invitation};
pub(crate) use wait::{eventually, finished};
pub(crate) use wire::Wire;

/// The longest wait for anything that is not measured.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The listeners beside the native one take free ports: many zones stand side by side.
const FREE_PORTS: [(&str, &str); 7] = [
    ("SOKE_GRID__HTTP__ADDRESS", "0"),
    ("SOKE_LITEKUBE__BOOTSTRAP__ADDRESS", "0"),
    ("SOKE_LITEKUBE__CONTROL__ADDRESS", "0"),
    ("SOKE_SCOW__SERVER__ADDRESS", "0"),
    ("SOKE_SCOW__PORTAL__ADDRESS", "0"),
    ("SOKE_BUCKYOS__SYSTEM_CONFIG__ADDRESS", "0"),
    ("SOKE_BUCKYOS__NODE_GATEWAY__ADDRESS", "0"),
];

/// The binary under test. Cargo builds it before this test.
pub(crate) const SOKE: &str = env!("CARGO_BIN_EXE_soke");

/// Whether the tests run with the counts that the project promises, and with what takes long.
pub(crate) fn is_full() -> bool {
    std::env::var_os("SOKE_TEST_FULL").is_some()
}

/// A program below `target/tools` that is built with Go; none where `tests/tools/install` has left them out, which it
/// then has said.
pub(crate) fn go_program(name: &str) -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    let program = tools.join(name);
    if program.exists() {
        return Some(program);
    }
    let why = fs::read_to_string(tools.join("go/left-out"));
    let why = why.unwrap_or_else(|_| panic!("{} is missing: run tests/tools/install", program.display()));
    // Past the tests' own capture: who reads the run is to know what it did not see.
    writeln!(std::io::stderr(), "not tried with {name}: {}", why.trim()).expect("standard error");
    None
}

/// How a zone of a test starts.
pub(crate) struct Builder {
    config: String,
    environment: Vec<(&'static str, PathBuf)>,
    arguments: Vec<String>,
    listen: &'static [&'static str],
    uid: Option<u32>,
    network: Option<String>,
}

/// One zone. Its server is killed and its folder removed when it goes.
pub(crate) struct Zone {
    builder: Builder,
    folder: TempDir,
    server: Option<Child>,
    starts: u32,
}

/// What a finished command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) errors: String,
}

impl Builder {
    /// Lines for `soke.toml`.
    pub(crate) fn config(mut self, text: &str) -> Self {
        self.config.push_str(text);
        self
    }

    /// One more variable of the environment: a path.
    pub(crate) fn environment(mut self, name: &'static str, value: PathBuf) -> Self {
        self.environment.push((name, value));
        self
    }

    /// One more argument of `soke up`.
    pub(crate) fn argument(mut self, text: &str) -> Self {
        self.arguments.push(text.to_owned());
        self
    }

    /// The server listens where the configuration says, not on a free port of loopback.
    pub(crate) fn listen_as_configured(mut self) -> Self {
        self.listen = &[];
        self
    }

    /// The server listens where it can listen again after a kill: on a port that no connection of others can have taken
    /// meanwhile.
    pub(crate) fn at_a_lasting_address(mut self) -> Self {
        let address = format!("127.0.0.1:{}", testbed::free_port());
        self.arguments.extend(["--listen".to_owned(), address]);
        self.listen_as_configured()
    }

    /// The server runs without rights: under a uid of its own where the tests run as root.
    pub(crate) fn unprivileged(mut self) -> Self {
        if rustix::process::geteuid().is_root() {
            self.uid = Some(61_234);
        }
        self
    }

    /// The server and its clients live in this network namespace, the server at this address.
    pub(crate) fn in_network(mut self, namespace: &str, address: &'static [&'static str]) -> Self {
        self.network = Some(namespace.to_owned());
        self.listen = address;
        self
    }

    /// Makes the zone's folder without starting a server.
    pub(crate) fn prepare(self) -> Zone {
        let folder = tempfile::Builder::new()
            .prefix("soke-zone-")
            .tempdir()
            .expect("a temporary folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("others may pass");
        let zone = Zone {
            builder: self,
            folder,
            server: None,
            starts: 0,
        };
        fs::create_dir(zone.data()).expect("the data folder is made");
        fs::set_permissions(zone.data(), fs::Permissions::from_mode(0o700)).expect("only its owner may pass");
        fs::write(zone.data().join("soke.toml"), &zone.builder.config).expect("the file is written");
        if let Some(uid) = zone.builder.uid {
            // The binary of the build may lie where that uid cannot go.
            testbed::copy_program(Path::new(SOKE), &zone.binary());
            for path in [
                zone.data(),
                zone.data().join("soke.toml"),
                zone.folder.path().to_owned(),
            ] {
                std::os::unix::fs::chown(&path, Some(uid), Some(uid)).expect("root may give files away");
            }
        }
        zone
    }

    /// Makes the zone and waits until its server is ready.
    pub(crate) fn start(self) -> Zone {
        let mut zone = self.prepare();
        zone.start();
        zone
    }
}

impl Zone {
    /// A zone on defaults, but for a free port.
    pub(crate) fn builder() -> Builder {
        Builder {
            config: String::new(),
            environment: Vec::new(),
            arguments: Vec::new(),
            listen: &["--listen", "127.0.0.1:0"],
            uid: None,
            network: None,
        }
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("zone")
    }

    /// The folder around the data folder.
    pub(crate) fn around(&self) -> &Path {
        self.folder.path()
    }

    /// Gives a file to the user under whom the server runs.
    pub(crate) fn give_to_server(&self, path: &Path) {
        if let Some(uid) = self.builder.uid {
            std::os::unix::fs::chown(path, Some(uid), Some(uid)).expect("root may give files away");
        }
    }

    fn binary(&self) -> PathBuf {
        match self.builder.uid {
            Some(_) => self.folder.path().join("soke"),
            None => PathBuf::from(SOKE),
        }
    }

    /// A command of the binary, with a clean environment and the zone's data folder.
    pub(crate) fn command(&self) -> Command {
        let mut command = match self.builder.uid {
            Some(uid) => {
                let mut command = Command::new("setpriv");
                command
                    .args([&format!("--reuid={uid}"), &format!("--regid={uid}")])
                    .args(["--clear-groups", "--inh-caps=-all", "--"])
                    .arg(self.binary());
                command
            }
            None => match &self.builder.network {
                Some(namespace) => {
                    let mut command = Command::new("nsenter");
                    command.arg(format!("--net=/run/netns/{namespace}"));
                    command.arg(self.binary());
                    command
                }
                None => Command::new(self.binary()),
            },
        };
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", self.folder.path())
            .envs(FREE_PORTS)
            .envs(self.builder.environment.iter().cloned())
            .current_dir(self.folder.path())
            .arg("--data")
            .arg(self.data())
            .stdin(Stdio::null());
        command
    }

    /// Starts the server without waiting for it.
    pub(crate) fn begin(&mut self) {
        assert!(self.server.is_none(), "the server runs already");
        match fs::remove_file(self.data().join("run/listeners.json")) {
            Ok(()) => {}
            Err(fault) => assert_eq!(fault.kind(), std::io::ErrorKind::NotFound),
        }
        self.starts += 1;
        let mut command = self.command();
        command
            .arg("up")
            .args(self.builder.listen)
            .args(&self.builder.arguments)
            .stdout(File::create(self.out_path()).expect("a file for the output"))
            .stderr(File::create(self.log_path()).expect("a file for the log"));
        self.server = Some(command.spawn().expect("the server starts"));
    }

    /// Starts the server and waits until it is ready.
    pub(crate) fn start(&mut self) {
        self.begin();
        self.wait_until_ready(LONG);
    }

    /// Waits until the server says that the zone is up.
    pub(crate) fn wait_until_ready(&mut self, within: Duration) {
        let ready = testbed::eventually_blocking(within, || {
            let server = self.server.as_mut().expect("a server was started");
            let ended = server.try_wait().expect("the server is our child");
            ended.is_some() || fs::read_to_string(self.out_path()).is_ok_and(|out| out.contains("  stop "))
        });
        let server = self.server.as_mut().expect("a server was started");
        let ended = server.try_wait().expect("the server is our child");
        assert!(
            ready && ended.is_none(),
            "the zone is not up ({ended:?})\n{}\n{}",
            self.out(),
            self.log()
        );
    }

    fn out_path(&self) -> PathBuf {
        self.folder.path().join(format!("{}.out", self.starts))
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join(format!("{}.log", self.starts))
    }

    /// What the present server has printed.
    pub(crate) fn out(&self) -> String {
        fs::read_to_string(self.out_path()).unwrap_or_default()
    }

    /// What the present server has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The server's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.server.as_ref().expect("a server runs").id()
    }

    /// The processes that supervise what runs on the zone's machine and on the second one there.
    pub(crate) fn stages(&self) -> Vec<u32> {
        let machines = [self.data(), self.data().join("second")];
        let stages = machines.iter().flat_map(|machine| stages(machine));
        stages
            .map(|(_run, pid)| pid.as_raw_nonzero().get().cast_unsigned())
            .collect()
    }

    /// Sends the server a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).expect("a small number")).expect("not zero");
        kill_process(pid, signal).expect("the server is our child");
    }

    /// How the server ended, where it has.
    pub(crate) fn ended_already(&mut self) -> Option<ExitStatus> {
        let server = self.server.as_mut().expect("a server runs");
        server.try_wait().expect("our child")
    }

    /// Waits until the server has ended.
    pub(crate) fn ended(&mut self, within: Duration) -> ExitStatus {
        let mut server = self.server.take().expect("a server runs");
        match finished(&mut server, within) {
            Some(status) => status,
            None => {
                let said = format!("{}\n{}", self.out(), self.log());
                server.kill().expect("our child");
                server.wait().expect("our child");
                panic!("the server has not ended within {within:?}\n{said}");
            }
        }
    }

    /// Stops the server in order.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        let status = self.ended(Duration::from_secs(10));
        assert_eq!(status.code(), Some(0), "{status:?}\n{}", self.log());
    }

    /// Kills the server as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        assert_eq!(self.ended(LONG).signal(), Some(9));
    }

    /// Runs a command of the binary to its end.
    pub(crate) fn soke(&self, arguments: &[&str]) -> Said {
        self.soke_with_input(arguments, "")
    }

    /// Runs a command of the binary to its end, with this on its standard input.
    pub(crate) fn soke_with_input(&self, arguments: &[&str], input: &str) -> Said {
        let mut command = self.command();
        command.args(arguments);
        run(command, input, LONG)
    }

    /// Runs a command of the binary that must succeed and gives what it printed.
    pub(crate) fn good(&self, arguments: &[&str]) -> String {
        let said = self.soke(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}\n{}", self.log());
        said.out
    }

    /// The code of the one-time link that the first start has printed.
    pub(crate) fn owner_code(&self) -> String {
        let out = self.out();
        let (_before, after) = out
            .split_once("#code=")
            .unwrap_or_else(|| panic!("no link in: {out}"));
        after.split(['&', '\n']).next().unwrap_or_default().to_owned()
    }

    /// Signs the owner in for the command line.
    pub(crate) fn sign_in_owner(&self) {
        let said = self.soke_with_input(&["sign-in"], &self.owner_code());
        assert_eq!(said.code, Some(0), "{said:?}\n{}", self.log());
    }

    /// The native listener's address.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.listener("native")
    }

    /// The address of the listener with this name.
    pub(crate) fn listener(&self, name: &str) -> std::net::SocketAddr {
        let path = self.data().join("run/listeners.json");
        let text = fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let listeners = read["listeners"].as_array().expect("a list");
        let wanted = listeners
            .iter()
            .find(|one| one["name"] == name)
            .unwrap_or_else(|| panic!("no listener `{name}`: {text}"));
        wanted["address"]
            .as_str()
            .expect("a text")
            .parse()
            .expect("an address")
    }

    /// The address of every listener, by its name.
    pub(crate) fn listeners(&self) -> serde_json::Map<String, serde_json::Value> {
        let text = fs::read_to_string(self.data().join("run/listeners.json")).expect("the listeners");
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let listeners = read["listeners"].as_array().expect("a list").iter();
        let named =
            |one: &serde_json::Value| Some((one["name"].as_str()?.to_owned(), one["address"].clone()));
        listeners.filter_map(named).collect()
    }

    /// The CA certificate of the zone.
    pub(crate) fn ca_pem(&self) -> String {
        fs::read_to_string(self.data().join("run/ca.pem")).expect("the CA's certificate")
    }

    /// A connection to the zone.
    pub(crate) fn wire(&self) -> Wire {
        Wire::connect(self.address(), self.ca_pem())
    }
}

/// Ends the jobs and services that a test has left on the machine with this data folder: they outlive their server, and
/// so would outlive the test.
pub(crate) fn end_work(data: &Path) {
    let stages = stages(data);
    for (_run, pid) in &stages {
        kill_process(*pid, Signal::TERM).ok();
    }
    for (run, pid) in &stages {
        testbed::eventually_blocking(Duration::from_secs(10), || !supervises(*pid, run));
    }
}

/// The folders and processes of what runs for the machine with this data folder.
fn stages(data: &Path) -> Vec<(PathBuf, Pid)> {
    let folders = ["node/jobs", "node/services"].map(|name| data.join(name));
    let runs = folders.iter().flat_map(fs::read_dir).flatten().flatten();
    runs.filter_map(|run| {
        let text = fs::read(run.path().join("stage.json")).ok()?;
        let stage: serde_json::Value = serde_json::from_slice(&text).ok()?;
        let pid = i32::try_from(stage["pid"].as_i64()?).ok()?;
        Some((run.path(), Pid::from_raw(pid)?))
    })
    .filter(|(run, pid)| supervises(*pid, run))
    .collect()
}

/// Whether the process is the stage of this run, and no later process with its number.
fn supervises(pid: Pid, run: &Path) -> bool {
    let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    String::from_utf8_lossy(&line).contains(&*run.to_string_lossy())
}

impl Drop for Zone {
    fn drop(&mut self) {
        self.end_server();
        for machine in [self.data(), self.data().join("second")] {
            end_work(&machine);
        }
    }
}

impl Zone {
    fn end_server(&mut self) {
        if let Some(mut server) = self.server.take() {
            // An orderly stop ends what the test has left running; a kill would leave stages behind.
            let pid = i32::try_from(server.id()).ok().and_then(Pid::from_raw);
            let asked = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
            if !asked || finished(&mut server, Duration::from_secs(10)).is_none() {
                server.kill().expect("our child");
                server.wait().expect("our child");
            }
        }
    }
}

/// Runs a command to its end within a bound.
pub(crate) fn run(mut command: Command, input: &str, within: Duration) -> Said {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (out, errors) = (folder.path().join("out"), folder.path().join("errors"));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(File::create(&out).expect("a file"))
        .stderr(File::create(&errors).expect("a file"))
        .spawn()
        .unwrap_or_else(|fault| panic!("{command:?}: {fault}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    match stdin.write_all(input.as_bytes()) {
        Ok(()) => {}
        // A command that asks for nothing may have ended already.
        Err(fault) => assert_eq!(fault.kind(), std::io::ErrorKind::BrokenPipe),
    }
    drop(stdin);
    let status = finished(&mut child, within);
    let read = |path| String::from_utf8_lossy(&fs::read(path).expect("a file")).into_owned();
    let said = Said {
        code: status.and_then(|status| status.code()),
        out: read(&out),
        errors: read(&errors),
    };
    if status.is_none() {
        child.kill().expect("our child");
        child.wait().expect("our child");
        panic!("not finished within {within:?}: {command:?}: {said:?}");
    }
    said
}
