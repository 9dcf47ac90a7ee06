//! How a command of this binary can fail, what is shown then, and the exit code.
//!
//! The codes are those of `sysexits.h`, as in `cli`. What it leaves to others: failures of calls (`cli::Error`).

use std::io::Write as _;

use model::ErrorKind;

use crate::{config, lock, stop};

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
    /// The server cannot be stopped.
    #[error("{0}")]
    Stop(#[from] stop::Error),
    /// A client command failed.
    #[error("{0}")]
    Client(#[from] cli::Error),
    /// The store cannot be opened.
    #[error("open the store")]
    Store(#[from] store::Error),
    /// The zone's root, users or sessions cannot be opened.
    #[error("open the zone")]
    Access(#[from] access::Error),
    /// What this machine offers cannot be found out.
    #[error("look at this machine")]
    Machine(#[from] confine::Error),
    /// The jobs of this machine cannot be opened.
    #[error("open the jobs")]
    Jobs(#[from] jobs::Error),
    /// A listener cannot be opened.
    #[error("{0}")]
    Gateway(#[from] gateway::Error),
    /// A listener of BuckyOS's doors cannot be opened.
    #[error("open BuckyOS's doors")]
    Buckyos(#[from] buckyos::Error),
    /// The nodes cannot be opened.
    #[error("open the nodes")]
    Nodes(#[from] nodes::Error),
    /// The entrance for links cannot be made.
    #[error("open the entrance for links")]
    Link(#[source] rpc::Error),
    /// This machine cannot be a node.
    #[error("{0}")]
    Node(#[from] agent::node::Error),
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
            | Failure::Client(_)
            | Failure::Store(_)
            | Failure::Access(_)
            | Failure::Machine(_)
            | Failure::Jobs(_)
            | Failure::Gateway(_)
            | Failure::Buckyos(_)
            | Failure::Nodes(_)
            | Failure::Link(_)
            | Failure::Node(_)
            | Failure::System(_) => chain(self),
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
            Failure::Gateway(fault) if fault.kind() == ErrorKind::Precondition => {
                Some("end the program that stands there, or name another address with --listen".to_owned())
            }
            Failure::Buckyos(fault) if fault.kind() == ErrorKind::Precondition => Some(
                "end the program that stands there, or set buckyos.system_config.address and \
                 buckyos.node_gateway.address; port 0 takes a free one"
                    .to_owned(),
            ),
            Failure::Config(_)
            | Failure::Place(_)
            | Failure::Lock(lock::Error::File { .. })
            | Failure::Stop(_)
            | Failure::Store(_)
            | Failure::Access(_)
            | Failure::Machine(_)
            | Failure::Jobs(_)
            | Failure::Gateway(_)
            | Failure::Buckyos(_)
            | Failure::Nodes(_)
            | Failure::Link(_)
            | Failure::Node(_)
            | Failure::System(_) => None,
        }
    }

    fn exit_code(&self) -> u8 {
        match self {
            Failure::Config(_) | Failure::Place(_) => CONFIG,
            Failure::Lock(lock::Error::Held { .. }) => TEMPORARY,
            Failure::Lock(lock::Error::File { .. }) | Failure::System(_) => SOFTWARE,
            Failure::Stop(_) => UNAVAILABLE,
            Failure::Client(fault) => fault.exit_code(),
            Failure::Store(fault) => cli::exit_code(fault.kind()),
            Failure::Access(fault) => cli::exit_code(fault.kind()),
            Failure::Machine(fault) => cli::exit_code(fault.kind()),
            Failure::Jobs(fault) => cli::exit_code(fault.kind()),
            Failure::Gateway(fault) => cli::exit_code(fault.kind()),
            Failure::Nodes(fault) => cli::exit_code(fault.kind()),
            Failure::Link(fault) => cli::exit_code(fault.kind()),
            Failure::Node(fault) => cli::exit_code(fault.kind()),
            Failure::Buckyos(fault) => cli::exit_code(fault.kind()),
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
            | Failure::Store(_)
            | Failure::Access(_)
            | Failure::Machine(_)
            | Failure::Jobs(_)
            | Failure::Gateway(_)
            | Failure::Buckyos(_)
            | Failure::Nodes(_)
            | Failure::Link(_)
            | Failure::Node(_)
            | Failure::Client(_) => return false,
        };
        fault.kind() == std::io::ErrorKind::BrokenPipe
    }
}

/// An error and what lies under it, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        below = cause.source();
    }
    text
}
