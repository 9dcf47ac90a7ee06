//! A machine for one test, and what its services left on it.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use confine::{Abilities, Confine, process};
use futures::{FutureExt as _, future::BoxFuture};
use model::{NodeId, Timestamp};
use services::{
    Error,
    agent::{self, LocalNode},
    node::{Machine as Listed, Nodes, OnNode},
};
use tasks::{Clock, Tasks};
use tempfile::TempDir;

const STAND_IN: &str = env!("CARGO_BIN_EXE_services-stand-in");

pub(crate) const SOON: Duration = Duration::from_secs(30);

/// The program that stands in for the binary: beside this one where both were copied, else where cargo built it.
pub(crate) fn stand_in() -> PathBuf {
    let own = std::env::current_exe().expect("this program");
    let beside = own.with_file_name("stand-in");
    if beside.exists() { beside } else { STAND_IN.into() }
}

pub(crate) fn abilities() -> Abilities {
    Abilities::probe(&stand_in(), &["probe"]).expect("the machine can be probed")
}

pub(crate) struct Machine {
    pub(crate) id: NodeId,
    pub(crate) name: String,
    pub(crate) node: Arc<LocalNode>,
    pub(crate) tasks: Tasks,
    pub(crate) folder: Arc<TempDir>,
    away: AtomicBool,
    gone: AtomicBool,
}

impl Machine {
    pub(crate) async fn new(name: &str) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let id = NodeId::fresh(Timestamp::from_secs(1_700_000_000));
        Self::on(id, name, folder).await
    }

    async fn on(id: NodeId, name: &str, folder: Arc<TempDir>) -> Self {
        let tasks = Tasks::new();
        let settings = confine::Config {
            data: folder.path().to_owned(),
            first_uid: 200_000,
        };
        let node = LocalNode::start(agent::Parts {
            tasks: tasks.clone(),
            clock: Clock::system(),
            confine: Confine::new(settings, abilities()),
            program: stand_in(),
            data: folder.path().to_owned(),
            config: agent::Config {
                name: name.to_owned(),
                grace: Duration::from_millis(500),
                processes: 256,
                open_files: 1024,
                file_bytes: 1 << 30,
                control_groups: true,
            },
        })
        .await
        .expect("a node");
        Self {
            id,
            name: name.to_owned(),
            node: Arc::new(node),
            tasks,
            folder,
            away: AtomicBool::new(false),
            gone: AtomicBool::new(false),
        }
    }

    /// The same machine after a restart of its agent.
    pub(crate) async fn again(&self) -> Self {
        self.tasks.stop(SOON).await;
        Self::on(self.id, &self.name, Arc::clone(&self.folder)).await
    }

    pub(crate) fn go_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn leave_the_zone(&self) {
        self.gone.store(true, Ordering::SeqCst);
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What the log of ada's service holds.
    pub(crate) fn log(&self, name: &str) -> String {
        let path = self.path().join("homes/ada/services").join(name);
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// Runs that have a folder.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        let all = std::fs::read_dir(self.path().join("services")).expect("the folder of services");
        all.flatten().map(|entry| entry.path()).collect()
    }

    /// Processes whose environment names a service, zombies left out.
    pub(crate) fn processes_of(name: &str, data: &Path) -> Vec<u32> {
        let marks = [
            format!("SOKE_SERVICE_NAME={name}"),
            format!("HOME={}", data.join("homes/ada").display()),
        ];
        let named = |pid: u32| {
            let bytes = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            marks.iter().all(|mark| text.split('\0').any(|one| one == mark))
        };
        let living = process::all()
            .into_iter()
            .filter(|stat| !matches!(stat.state, 'Z' | 'X'));
        living.map(|stat| stat.pid).filter(|&pid| named(pid)).collect()
    }
}

impl Drop for Machine {
    /// Leaves nothing behind: kills the stages, by which their services die, and removes the control groups.
    fn drop(&mut self) {
        if Arc::strong_count(&self.folder) > 1 {
            return;
        }
        let label = confine::cgroup::label_of(self.path()).expect("the folder is there");
        let base = confine::cgroup::Base::prepare(&label);
        let clock = Clock::system();
        // What is being started now finds no folder any more; what has begun is found by its words.
        let ended = self.path().join("ended");
        std::fs::rename(self.path().join("services"), &ended).expect("it is ours");
        let here = format!("{}/services/", self.path().display());
        let all_ended = testbed::eventually_blocking(SOON, || {
            let stages = stages_of(&here);
            for pid in &stages {
                nix::sys::signal::kill(*pid, nix::sys::signal::Signal::SIGKILL).ok();
            }
            stages.is_empty()
        });
        assert!(all_ended || std::thread::panicking(), "a stage outlives its test");
        let runs = std::fs::read_dir(&ended).expect("the folder of services");
        for run in runs.flatten() {
            if let Some(base) = &base {
                let group = base.group(&run.file_name().to_string_lossy());
                group.kill(SOON, || clock.monotonic());
                let _gone = group.remove();
            }
        }
        if let Some(base) = base {
            let _gone = base.remove();
        }
    }
}

/// The stages whose words name this folder.
fn stages_of(folder: &str) -> Vec<nix::unistd::Pid> {
    let names = |pid: u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(folder)
    };
    let living = process::all()
        .into_iter()
        .filter(|stat| !matches!(stat.state, 'Z' | 'X'));
    let pids = living.map(|stat| stat.pid).filter(|&pid| names(pid));
    pids.filter_map(|pid| i32::try_from(pid).ok())
        .map(nix::unistd::Pid::from_raw)
        .collect()
}

/// The machines of a zone.
pub(crate) struct Machines(pub(crate) Vec<Arc<Machine>>);

impl Nodes for Machines {
    fn machines(&self) -> BoxFuture<'_, Result<Vec<Listed>, Error>> {
        let there = self.0.iter().filter(|one| !one.gone.load(Ordering::SeqCst));
        let listed = there.map(|one| Listed {
            id: one.id,
            name: one.name.clone(),
        });
        futures::future::ready(Ok(listed.collect())).boxed()
    }

    fn on(&self, node: NodeId) -> Option<Arc<dyn OnNode>> {
        let found = self.0.iter().find(|one| one.id == node);
        let there = found.filter(|one| !one.away.load(Ordering::SeqCst) && !one.gone.load(Ordering::SeqCst));
        there.map(|one| Arc::clone(&one.node) as Arc<dyn OnNode>)
    }
}
