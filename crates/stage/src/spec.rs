//! The work's folder on the node: what the agent orders, who supervises it, how it ended.
//!
//! What it leaves to others: the steps that write and read it.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use confine::{Plan, cgroup, process::Identity};
use model::{Span, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::durable;

/// What is to be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// A script, run by the interpreter that its first line names, else by `/bin/sh`.
    Script(String),
    /// A program and its arguments; the program is looked for in `PATH`.
    Arguments(Vec<String>),
}

/// Everything that the stage must know of a piece of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The id of the work: the name of its control group.
    pub name: String,
    /// As whom and how apart.
    pub plan: Plan,
    /// Where control groups can be made.
    pub cgroup: Option<cgroup::Base>,
    /// What is run.
    pub work: Work,
    /// What the work finds in its environment besides the plan's.
    pub environment: BTreeMap<String, String>,
    /// Relative to the home; made when it is not there.
    pub working_directory: String,
    /// Relative to the working directory.
    pub stdout: String,
    /// Relative to the working directory.
    pub stderr: String,
    /// Keep what an earlier run wrote: it is set aside beside the output, with `.1` behind its name. Else it is
    /// overwritten.
    #[serde(default)]
    pub keep_earlier_output: bool,
    /// What whoever ordered the work wants to find again beside it; the stage does not read it.
    #[serde(default)]
    pub note: String,
    /// Of all processes of the work together.
    pub memory_bytes: u64,
    /// By the monotonic clock, from the start of the program; none: as long as it likes.
    pub time_limit: Option<Span>,
    /// Between asking the work to end and killing it.
    pub grace: Span,
}

/// Why a piece of work is at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The program ended by itself.
    Itself,
    /// Somebody asked for its end.
    Cancelled,
    /// Its time was over.
    TimeLimit,
    /// It wanted more memory than it may have.
    MemoryLimit,
    /// It could not be started.
    NotStarted,
    /// Its keeper was killed from outside, and the work with it.
    Broken,
}

/// How a piece of work ended and what it used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Why.
    pub cause: Cause,
    /// In words, where the cause alone does not say it.
    pub reason: String,
    /// The exit code of the program, or 128 + the signal that ended it.
    pub code: Option<i32>,
    /// CPU time of all processes of the work.
    pub cpu: Span,
    /// The most bytes of memory at one moment.
    pub peak_memory_bytes: u64,
    /// When the program started; when the attempt began, if it did not.
    pub started_at: Timestamp,
    /// When the program ended.
    pub ended_at: Timestamp,
    /// How long it ran, by the monotonic clock.
    pub ran: Span,
}

/// The folder of one piece of work, such as `DATA/jobs/<id>`; it belongs to the agent and is closed to everybody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    /// Takes the path of such a folder.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn spec_path(&self) -> PathBuf {
        self.0.join("spec.json")
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.0.join("stage.log")
    }

    /// Makes the folder with its order in it, durably.
    pub(crate) fn order(&self, spec: &Spec) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt as _;
        match std::fs::DirBuilder::new().mode(0o700).create(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        durable::write(&self.0, "spec.json", spec)?;
        self.0.parent().map_or(Ok(()), durable::sync_folder)
    }

    /// What was ordered, once it was.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn ordered(&self) -> io::Result<Option<Spec>> {
        self.read("spec.json")
    }

    pub(crate) fn supervised_by(&self, identity: &Identity) -> io::Result<()> {
        durable::write(&self.0, "stage.json", identity)
    }

    pub(crate) fn supervisor(&self) -> io::Result<Option<Identity>> {
        self.read("stage.json")
    }

    pub(crate) fn started(&self, at: Timestamp) -> io::Result<()> {
        durable::put(&self.0, "started.json", &at)
    }

    pub(crate) fn started_at(&self) -> io::Result<Option<Timestamp>> {
        self.read("started.json")
    }

    pub(crate) fn ended(&self, exit: &Exit) -> io::Result<()> {
        durable::write(&self.0, "exit.json", exit)
    }

    /// How the work ended, once it has.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn exit(&self) -> io::Result<Option<Exit>> {
        self.read("exit.json")
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        match std::fs::read(self.0.join(name)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
