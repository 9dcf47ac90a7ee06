//! A PostgreSQL server of Debian's package in a folder of its own, reached over a Unix socket.
//!
//! The server never outlives the test process: it gets SIGQUIT when the thread that started it ends (prctl(2),
//! `PR_SET_PDEATHSIG`; that thread lives as long as the process), and a shell that waits for the end of a pipe
//! ends it again and removes the folder, however the process ended.
//!
//! What it leaves to others: schemas and clients.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::Duration,
};

use anyhow::{Context as _, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User, geteuid},
};

use crate::eventually_blocking;

/// The account that runs the server when the tests run as root, which PostgreSQL refuses.
const ACCOUNT: &str = "postgres";
/// How long a start or stop may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. Dropping it ends the server and removes its folder.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    programs: PathBuf,
    orders: mpsc::Sender<Order>,
    watcher: Mutex<Option<(Child, ChildStdin)>>,
    databases: AtomicU32,
}

#[derive(Debug)]
enum Order {
    Start(mpsc::Sender<std::io::Result<()>>),
    Quit(mpsc::Sender<std::io::Result<()>>),
}

impl Postgres {
    /// The server that the tests of this process share. It does not wait for the disk (`fsync = off`), as
    /// [`Postgres::start`].
    ///
    /// # Panics
    /// The server does not start; the text says what to install or what its log says.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| match Self::begin(false) {
            Ok(server) => server,
            Err(error) => panic!("{error:?}"),
        })
    }

    /// Starts a server of the caller's own. It does not wait for the disk (`fsync = off`): what it acknowledged
    /// survives its crash, because the system has it, and not the machine's.
    ///
    /// # Errors
    /// The package is missing, or the server does not start.
    pub fn start() -> anyhow::Result<Self> {
        Self::begin(false)
    }

    /// Starts a server that waits for the disk, to measure with.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn start_durable() -> anyhow::Result<Self> {
        Self::begin(true)
    }

    fn begin(fsync: bool) -> anyhow::Result<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("soke-pg-").tempdir()?.keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        if geteuid().is_root() {
            let account = User::from_name(ACCOUNT)?.context("there is no account `postgres`")?;
            chown(&folder, Some(account.uid.as_raw()), Some(account.gid.as_raw()))?;
        }
        let watcher = watch(&folder)?;
        let made = as_account(&programs.join("initdb"), &folder)
            .args([
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .arg("--pgdata")
            .arg(folder.join("data"))
            .output()?;
        if !made.status.success() {
            bail!("initdb: {}", String::from_utf8_lossy(&made.stderr));
        }
        let server = Self {
            orders: keep(&programs, &folder, fsync),
            folder,
            programs,
            watcher: Mutex::new(Some(watcher)),
            databases: AtomicU32::new(0),
        };
        server.resume()?;
        Ok(server)
    }

    /// Makes an empty database and gives its address.
    ///
    /// # Errors
    /// The server is not running.
    pub fn database(&self) -> anyhow::Result<String> {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0"))?;
        Ok(self.address(&name))
    }

    /// The address of a database of this server.
    #[must_use]
    pub fn address(&self, database: &str) -> String {
        let host = self.folder.to_string_lossy().replace('/', "%2F");
        format!("postgresql://postgres:not-asked-for@{host}/{database}")
    }

    /// Runs statements with the server's own client, and gives the rows without headings.
    ///
    /// # Errors
    /// What the client says.
    pub fn sql(&self, database: &str, statements: &str) -> anyhow::Result<String> {
        let done = Command::new(self.programs.join("psql"))
            .args([
                "--no-psqlrc",
                "--quiet",
                "--tuples-only",
                "--no-align",
                "--username=postgres",
            ])
            .args([
                "--set=ON_ERROR_STOP=1",
                "--dbname",
                database,
                "--command",
                statements,
                "--host",
            ])
            .arg(&self.folder)
            .output()?;
        if !done.status.success() {
            bail!("psql: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(String::from_utf8(done.stdout)?)
    }

    /// Ends the server at once, as a crash would: it writes nothing more and recovers on the next start.
    ///
    /// # Errors
    /// The system refuses the signal.
    pub fn crash(&self) -> anyhow::Result<()> {
        self.order(Order::Quit)
    }

    /// Starts the server again after [`Postgres::crash`] and waits until it answers.
    ///
    /// # Errors
    /// It does not start; the text holds the end of its log.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.order(Order::Start)?;
        let state = self.folder.join("data/postmaster.pid");
        // The eighth line tells the state (PostgreSQL's source, miscadmin.h).
        let ready = || {
            let text = fs::read_to_string(&state).unwrap_or_default();
            text.lines().nth(7).is_some_and(|line| line.trim() == "ready")
        };
        if eventually_blocking(PATIENCE, ready) {
            return Ok(());
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        bail!("the server does not start: {log}")
    }

    fn order(&self, order: impl FnOnce(mpsc::Sender<std::io::Result<()>>) -> Order) -> anyhow::Result<()> {
        let (send, receive) = mpsc::channel();
        self.orders
            .send(order(send))
            .context("the keeper of the server is gone")?;
        receive
            .recv_timeout(PATIENCE)
            .context("the keeper of the server does not answer")??;
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Err(error) = self.crash() {
            eprint_once(&error);
        }
        let watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((mut shell, pipe)) = watcher {
            drop(pipe);
            drop(shell.wait());
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a test helper has no other place to tell that a server stays behind"
)]
fn eprint_once(error: &anyhow::Error) {
    eprintln!("PostgreSQL is not ended: {error:#}");
}

/// The newest installed server.
fn programs() -> anyhow::Result<PathBuf> {
    let missing = "PostgreSQL is not installed: apt-get install postgresql";
    let mut found = Vec::new();
    for version in fs::read_dir("/usr/lib/postgresql").context(missing)? {
        let folder = version?.path();
        let number: u32 = folder
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok())
            .unwrap_or(0);
        if folder.join("bin/initdb").exists() {
            found.push((number, folder.join("bin")));
        }
    }
    found.sort();
    found.pop().map(|(_, folder)| folder).context(missing)
}

/// A command that runs as the server's account where the tests run as root.
fn as_account(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if geteuid().is_root() {
        command
            .arg(format!("--reuid={ACCOUNT}"))
            .arg(format!("--regid={ACCOUNT}"))
            .arg("--init-groups");
    }
    command
        .args(["--pdeathsig", "QUIT"])
        .arg(program)
        .current_dir(folder);
    command
        .stdin(Stdio::null())
        .env_remove("PGDATA")
        .env("LC_ALL", "C");
    command
}

/// Starts the thread that is the server's parent.
fn keep(programs: &Path, folder: &Path, fsync: bool) -> mpsc::Sender<Order> {
    let (send, receive) = mpsc::channel();
    let (program, folder) = (programs.join("postgres"), folder.to_owned());
    let run = move || {
        let mut server: Option<Child> = None;
        while let Ok(order) = receive.recv() {
            let (answer, done) = match order {
                Order::Start(answer) => {
                    let started = run_server(&program, &folder, fsync);
                    (answer, started.map(|child| server = Some(child)))
                }
                Order::Quit(answer) => (answer, server.take().map_or(Ok(()), quit)),
            };
            // Whoever asked may have given up waiting.
            drop(answer.send(done));
        }
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "the server is told when its parent thread ends, so this thread lives as long as the process"
    )]
    std::thread::spawn(run);
    send
}

fn run_server(program: &Path, folder: &Path, fsync: bool) -> std::io::Result<Child> {
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("log"))?;
    // The file of an ended server would say "ready" for the next one.
    match fs::remove_file(folder.join("data/postmaster.pid")) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    as_account(program, folder)
        .arg("-D")
        .arg(folder.join("data"))
        .arg("-k")
        .arg(folder)
        .args([
            "-c",
            "listen_addresses=",
            "-c",
            "max_connections=200",
            "-c",
            "shared_buffers=32MB",
        ])
        .args([
            "-c",
            "log_min_messages=warning",
            "-c",
            if fsync { "fsync=on" } else { "fsync=off" },
        ])
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

fn quit(mut server: Child) -> std::io::Result<()> {
    let id = i32::try_from(server.id()).map_err(std::io::Error::other)?;
    kill(Pid::from_raw(id), Signal::SIGQUIT)?;
    server.wait().map(drop)
}

/// Starts the shell that cleans up after this process, however it ends.
fn watch(folder: &Path) -> anyhow::Result<(Child, ChildStdin)> {
    let script = r#"
        trap '' INT TERM HUP
        read -r _
        pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
        [ -z "$pid" ] || kill -QUIT "$pid" 2>/dev/null
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || break
            sleep 0.2
        done
        rm -rf "$1"
    "#;
    let mut shell = Command::new("/bin/sh")
        .args(["-c", script, "sh"])
        .arg(folder)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let pipe = shell.stdin.take().context("the shell has a pipe")?;
    Ok((shell, pipe))
}
