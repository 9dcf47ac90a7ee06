//! How a command of this binary can fail, what is shown then, and the exit code.
//!
//! The codes are those of `sysexits.h`, as in `cli`. What it leaves to others: failures of calls (`cli::Error`).

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use model::ErrorKind;

use crate::{config, join_token, lock, remove, stop};

/// The exit code for wrong arguments.
pub(crate) const USAGE: u8 = 64;
const UNAVAILABLE: u8 = 69;
const SOFTWARE: u8 = 70;
const TEMPORARY: u8 = 75;
const CONFIG: u8 = 78;

/// A failed command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The configuration has mistakes.
    #[error("{0}")]
    Config(#[from] config::Faults),
    /// The data folder cannot be found.
    #[error("{0}")]
    Place(#[from] config::Fault),
    /// The data folder is not ours.
    #[error("{0}")]
    Lock(#[from] lock::Error),
    /// No join token was read.
    #[error("{0}")]
    Token(#[from] join_token::Error),
    /// The server cannot be stopped.
    #[error("{0}")]
    Stop(#[from] stop::Error),
    /// The zone cannot be removed.
    #[error("{0}")]
    Remove(#[from] remove::Error),
    /// A client command failed.
    #[error("{0}")]
    Client(#[from] cli::Error),
    /// A room cannot be opened.
    #[error("{step}")]
    Room {
        /// What was tried.
        step: &'static str,
        kind: ErrorKind,
        /// What helps where something that must be so is not so.
        cure: Option<&'static str>,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file that was named cannot be read.
    #[error("read {option} `{}`", path.display())]
    File {
        /// The option that named it.
        option: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The system refuses something.
    #[error("the system refuses: {0}")]
    System(std::io::Error),
}

impl Failure {
    /// Writes cause and cure to standard error and gives the exit code.
    pub(crate) fn show(&self) -> u8 {
        if self.is_broken_pipe() {
            return 0;
        }
        let mut text = match self {
            Failure::Config(faults) => faults.to_string(),
            Failure::Place(_)
            | Failure::Lock(_)
            | Failure::Stop(_)
            | Failure::Remove(_)
            | Failure::Token(_)
            | Failure::Client(_)
            | Failure::Room { .. }
            | Failure::File { .. }
            | Failure::System(_) => model::chain(self),
        };
        text = text.lines().map(|line| format!("soke: {line}\n")).collect();
        if let Some(cure) = self.cure() {
            text.push_str(&format!("cure: {cure}\n"));
        }
        // Nobody can be told that standard error is closed.
        match std::io::stderr().lock().write_all(text.as_bytes()) {
            Ok(()) | Err(_) => self.exit_code(),
        }
    }

    fn cure(&self) -> Option<String> {
        match self {
            Failure::Lock(lock::Error::Held { .. }) => {
                Some("use that one, stop it with `soke stop`, or name another folder with --data".to_owned())
            }
            Failure::Client(fault) => fault.cure(),
            Failure::Remove(remove::Error::Unconfirmed(_)) => Some("say --yes".to_owned()),
            Failure::Token(fault) => Some(fault.cure()),
            Failure::Room {
                kind: ErrorKind::Precondition,
                cure,
                ..
            } => cure.map(str::to_owned),
            Failure::Config(_)
            | Failure::Place(_)
            | Failure::Lock(lock::Error::File { .. })
            | Failure::Stop(_)
            | Failure::Remove(_)
            | Failure::Room { .. }
            | Failure::File { .. }
            | Failure::System(_) => None,
        }
    }

    fn exit_code(&self) -> u8 {
        match self {
            Failure::Config(_) | Failure::Place(_) => CONFIG,
            Failure::Lock(lock::Error::Held { .. }) => TEMPORARY,
            Failure::Lock(lock::Error::File { .. }) | Failure::System(_) => SOFTWARE,
            Failure::Stop(_) => UNAVAILABLE,
            Failure::Token(_) | Failure::Remove(remove::Error::Unconfirmed(_)) => USAGE,
            Failure::Remove(remove::Error::NoZone(_)) | Failure::File { .. } => {
                cli::exit_code(ErrorKind::NotFound)
            }
            Failure::Remove(remove::Error::Late(_)) => TEMPORARY,
            Failure::Remove(remove::Error::Folder { .. }) => SOFTWARE,
            Failure::Client(fault) => fault.exit_code(),
            Failure::Room { kind, .. } => cli::exit_code(*kind),
        }
    }

    /// Whoever read our output has had enough, as in `soke jobs | head`.
    fn is_broken_pipe(&self) -> bool {
        let fault = match self {
            Failure::System(fault) | Failure::Client(cli::Error::Terminal(fault)) => fault,
            Failure::Config(_)
            | Failure::Place(_)
            | Failure::Lock(_)
            | Failure::Stop(_)
            | Failure::Remove(_)
            | Failure::Token(_)
            | Failure::Room { .. }
            | Failure::File { .. }
            | Failure::Client(_) => return false,
        };
        fault.kind() == std::io::ErrorKind::BrokenPipe
    }
}

/// Reads the file that an option names.
pub(crate) fn read(option: &'static str, path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|source| Failure::File {
        option,
        path: path.to_owned(),
        source,
    })
}

/// One line for each room: its error, what was tried when it came, and the cure where something stands in the way.
macro_rules! rooms {
    ($($error:ty => $step:literal, $cure:expr;)*) => {
        $(impl From<$error> for Failure {
            fn from(fault: $error) -> Self {
                Failure::Room {
                    step: $step,
                    kind: fault.kind(),
                    cure: $cure,
                    source: Box::new(fault),
                }
            }
        })*
    };
}

rooms! {
    store::Error => "open the store", None;
    access::Error => "open the zone", None;
    confine::Error => "look at this machine", None;
    jobs::Error => "open the jobs", None;
    stage::Error => "end what runs", None;
    services::Error => "open the services", None;
    nodes::Error => "open the nodes", None;
    accounts::Error => "open the accounts", None;
    rpc::Error => "open the entrance for links", None;
    agent::node::Error => "be a node", None;
    gateway::Error => "open the front door",
        Some("end the program that stands there, or name another address: with --listen for the native listener, with \
              LISTENER.address in the configuration for another");
    litekube::Error => "open LiteKube's doors",
        Some("end the program that stands there, or set litekube.bootstrap.address and \
              litekube.control.address; port 0 takes a free one");
    scow::Error => "open SCOW's doors",
        Some("end the program that stands there, or set scow.server.address and scow.portal.address; \
              port 0 takes a free one");
    buckyos::Error => "open BuckyOS's doors",
        Some("end the program that stands there, or set buckyos.system_config.address and \
              buckyos.node_gateway.address; port 0 takes a free one");
    greeter::Error => "stand as the greeter",
        Some("end the program that stands there, or name another address with --listen");
    interop::Error => "run the interop tests",
        Some("end the program that stands there, or name another port with --port");
}
