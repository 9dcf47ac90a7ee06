//! A node for one test, and what its jobs did.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use confine::{Abilities, Account, Confine, process};
use futures::{StreamExt as _, stream::BoxStream};
use jobs::{
    agent::{self, LocalNode},
    node::{OnNode, Order, ReadAsUser},
};
use model::{JobId, Span, Timestamp};
use stage::{Exit, Observed, Work};
use tasks::{Clock, Tasks};
use tempfile::TempDir;

const STAND_IN: &str = env!("CARGO_BIN_EXE_jobs-stand-in");

/// The program that stands in for the binary: beside this one where both were copied, else where cargo built it.
pub(crate) fn stand_in() -> PathBuf {
    let own = std::env::current_exe().expect("this program");
    let beside = own.with_file_name("stand-in");
    if beside.exists() { beside } else { STAND_IN.into() }
}

pub(crate) const SOON: Duration = Duration::from_secs(30);

/// With everything that the machine offers, or without namespaces and control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Whole,
    Reduced,
}

pub(crate) const BOTH: [Mode; 2] = [Mode::Whole, Mode::Reduced];

pub(crate) struct Machine {
    pub(crate) node: Arc<LocalNode>,
    pub(crate) tasks: Tasks,
    pub(crate) folder: Arc<TempDir>,
    pub(crate) mode: Mode,
}

pub(crate) fn abilities() -> Abilities {
    Abilities::probe(&stand_in(), &["probe"]).expect("the machine can be probed")
}

/// Reads files as whoever runs the tests.
struct Reader(PathBuf);

impl ReadAsUser for Reader {
    fn read(
        &self,
        account: &Account,
        path: &str,
        offset: u64,
    ) -> BoxStream<'static, Result<Bytes, jobs::Error>> {
        let path = self.0.join("homes").join(&account.name).join(path);
        let bytes = std::fs::read(&path).map_err(|error| jobs::Error::Output {
            path: path.display().to_string(),
            kind: model::ErrorKind::NotFound,
            source: Box::new(error),
        });
        let rest = bytes.map(|bytes| {
            let offset = usize::try_from(offset).expect("a small file").min(bytes.len());
            Bytes::copy_from_slice(&bytes[offset..])
        });
        futures::stream::iter([rest]).boxed()
    }
}

pub(crate) fn account(name: &str, number: u32) -> Account {
    Account {
        name: name.to_owned(),
        number,
        unix_name: None,
        owner: false,
    }
}

pub(crate) fn order(work: Work) -> Order {
    Order {
        id: JobId::fresh(Timestamp::from_secs(1_700_000_000)),
        number: 1,
        name: "job".to_owned(),
        account: account("ada", 1),
        work,
        cores: 1,
        memory_bytes: 256 << 20,
        time_limit: Span::from_secs(300),
        working_directory: String::new(),
        stdout_path: "out".to_owned(),
        stderr_path: "err".to_owned(),
    }
}

pub(crate) fn script(text: &str) -> Order {
    order(Work::Script(text.to_owned()))
}

impl Machine {
    pub(crate) async fn new(mode: Mode) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::on(Arc::new(folder), mode, |_config| {}).await
    }

    pub(crate) async fn with(mode: Mode, change: impl FnOnce(&mut agent::Config)) -> Self {
        let machine = Self::new(mode).await;
        machine.again(change).await
    }

    async fn on(folder: Arc<TempDir>, mode: Mode, change: impl FnOnce(&mut agent::Config)) -> Self {
        let tasks = Tasks::new();
        let mut abilities = abilities();
        let mut config = agent::Config::new("here");
        config.grace = Duration::from_millis(500);
        if mode == Mode::Reduced {
            abilities.mounts = false;
            abilities.processes = false;
            config.control_groups = false;
        }
        change(&mut config);
        let settings = confine::Config {
            data: folder.path().to_owned(),
            first_uid: 200_000,
        };
        let node = LocalNode::start(agent::Parts {
            tasks: tasks.clone(),
            clock: Clock::system(),
            confine: Confine::new(settings, abilities),
            program: stand_in(),
            data: folder.path().to_owned(),
            reader: Arc::new(Reader(folder.path().to_owned())),
            config,
        })
        .await
        .expect("a node");
        Self {
            node: Arc::new(node),
            tasks,
            folder,
            mode,
        }
    }

    /// The same node after a restart of its agent.
    pub(crate) async fn again(self, change: impl FnOnce(&mut agent::Config)) -> Self {
        self.tasks.stop(SOON).await;
        Self::on(Arc::clone(&self.folder), self.mode, change).await
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("homes/ada")
    }

    pub(crate) async fn start(&self, order: Order) -> JobId {
        let id = order.id;
        self.node.start(order).await.expect("the node takes it");
        id
    }

    pub(crate) async fn standing(&self, id: JobId) -> Option<Observed> {
        let reports = self.node.observe().await.expect("the node answers");
        reports
            .into_iter()
            .find(|report| report.id == id)
            .map(|report| report.observed)
    }

    /// Waits until the job's program runs.
    pub(crate) async fn running(&self, id: JobId) {
        self.until(id, |observed| !matches!(observed, Observed::Starting))
            .await;
    }

    /// Waits for the end.
    pub(crate) async fn ended(&self, id: JobId) -> Arc<Exit> {
        let done = |observed: &Observed| matches!(observed, Observed::Ended(_) | Observed::Lost);
        match self.until(id, done).await {
            Observed::Ended(exit) => exit,
            Observed::Starting | Observed::Running { .. } | Observed::Lost => {
                panic!("the job is lost: {}", self.log(id))
            }
        }
    }

    pub(crate) async fn until(&self, id: JobId, fits: impl Fn(&Observed) -> bool) -> Observed {
        let look = async {
            loop {
                match self.standing(id).await {
                    Some(observed) if fits(&observed) => return observed,
                    Some(_) | None => {
                        tokio::time::timeout(Duration::from_millis(100), self.node.changed())
                            .await
                            .ok();
                    }
                }
            }
        };
        tokio::time::timeout(SOON, look).await.expect("it happens soon")
    }

    /// Runs a job to its end.
    pub(crate) async fn run(&self, order: Order) -> Arc<Exit> {
        let id = self.start(order).await;
        self.ended(id).await
    }

    pub(crate) fn read(&self, file: &str) -> String {
        let path = self.home().join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn log(&self, id: JobId) -> String {
        let path = self
            .folder
            .path()
            .join("jobs")
            .join(id.to_string())
            .join("stage.log");
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// Processes of the job: those whose environment names it, zombies left out. Works for root and for the
    /// jobs' own uid.
    pub(crate) fn processes_of(id: JobId) -> Vec<u32> {
        let mark = format!("SOKE_JOB_ID={id}");
        let named = |pid: u32| {
            std::fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|bytes| String::from_utf8_lossy(&bytes).split('\0').any(|one| one == mark))
        };
        let living = process::all()
            .into_iter()
            .filter(|stat| !matches!(stat.state, 'Z' | 'X'));
        living.map(|stat| stat.pid).filter(|&pid| named(pid)).collect()
    }
}

impl Drop for Machine {
    /// Leaves nothing behind: kills the stages, by which their jobs die, and removes the control groups.
    fn drop(&mut self) {
        if Arc::strong_count(&self.folder) > 1 {
            return;
        }
        let jobs = std::fs::read_dir(self.folder.path().join("jobs"))
            .into_iter()
            .flatten()
            .flatten();
        let mut groups = Vec::new();
        for folder in jobs {
            groups.push(folder.file_name().to_string_lossy().into_owned());
            let stage = std::fs::read(folder.path().join("stage.json")).unwrap_or_default();
            let stage: Option<process::Identity> = serde_json::from_slice(&stage).ok();
            let running = stage
                .filter(process::Identity::runs)
                .and_then(|stage| i32::try_from(stage.pid).ok());
            if let Some(pid) = running {
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
                    .ok();
            }
        }
        let label = confine::cgroup::label_of(self.folder.path()).expect("the folder is there");
        if let Some(base) = confine::cgroup::Base::prepare(&label) {
            let clock = Clock::system();
            for group in groups {
                let group = base.group(&group);
                group.kill(SOON, || clock.monotonic());
                let _gone = group.remove();
            }
            let _gone = base.remove();
        }
    }
}

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let held = testbed::eventually(SOON, async || so()).await;
    assert!(held, "{what} within {SOON:?}");
}

/// The larger number when SOKE_TEST_FULL is set.
pub(crate) fn count(usual: u32, full: u32) -> u32 {
    if std::env::var_os("SOKE_TEST_FULL").is_some() {
        full
    } else {
        usual
    }
}
