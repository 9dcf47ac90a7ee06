//! A service as it is shown, and where it can be reached.
//!
//! What it leaves to others: its stored form (module `record`), wire forms (the dialects).

use std::fmt;

use model::{Name, NodeId, ServiceId, Timestamp, UserId};

use crate::State;

/// A service as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The service.
    pub id: ServiceId,
    /// Its name, its owner's only service of that name that is not stopped.
    pub name: Name,
    /// Whose it is.
    pub user: UserId,
    /// The name of that user.
    pub user_name: Name,
    /// Where it stands.
    pub state: State,
    /// Why it stands there, in words; empty where the state says it all.
    pub reason: String,
    /// The node that has it; none while none was chosen.
    pub node: Option<NodeId>,
    /// That node's name; empty while none was chosen.
    pub node_name: String,
    /// The node that was asked for; empty: any.
    pub wanted_node: String,
    /// The port of the present process on its node's loopback address.
    pub port: Option<u16>,
    /// How often it was deployed under this id, from 1.
    pub generation: u32,
    /// How often a process of it was started.
    pub starts: u32,
    /// When its process started last.
    pub started_at: Option<Timestamp>,
    /// When its process is started again.
    pub next_start_at: Option<Timestamp>,
    /// The exit code of its last process that ended, or 128 + the signal that ended it.
    pub exit_code: Option<i32>,
    /// When it was deployed first.
    pub deployed_at: Timestamp,
    /// When it was stopped.
    pub stopped_at: Option<Timestamp>,
    /// Where its output goes, relative to its owner's home on its node.
    pub log_path: String,
}

/// Where the present process of a service can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// The service.
    pub service: ServiceId,
    /// The node that has it.
    pub node: NodeId,
    /// The port on that node's loopback address.
    pub port: u16,
}

/// Names a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// By its id; anybody's that the permit covers.
    Id(ServiceId),
    /// By its name; the actor's own.
    Named(Name),
    /// The actor's own that was deployed last.
    Latest,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Which::Id(id) => write!(f, "service {id}"),
            Which::Named(name) => write!(f, "service `{name}`"),
            Which::Latest => f.write_str("a service"),
        }
    }
}

/// Where the output of a service goes, relative to its owner's home.
pub(crate) fn log_path(name: &str) -> String {
    format!("services/{name}.log")
}
