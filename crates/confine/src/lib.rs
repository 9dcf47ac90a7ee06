//! Work as a user on this machine: as whom a process runs, what it sees, and what it may use up.
//!
//! What it is for: an [`Account`] of the zone becomes a [`Worker`] (a Unix account, a uid that the zone
//! owns, or the agent's own uid behind walls), and [`Confine::plan`] says how a process of that worker is
//! set apart: mounts, processes, capabilities, Landlock walls, limits, environment. A hidden process of our
//! own binary is executed first and then changes *itself* ([`helper::enter`], or step by step
//! [`namespaces::outer`], [`namespaces::inner`], [`enter::become_worker`]); nothing is changed between fork
//! and exec, so that no step needs unsafe code. What it leaves to others: jobs (crate `jobs`), files (crate
//! `files`), who may do what (crate `access`).
//!
//! Request path: agent -> [`Confine::plan`] -> [`helper::spawn_as`] -> hidden process -> [`helper::enter`].
//!
//! Invariants: work never runs as uid 0; without Landlock, work under the agent's own uid is refused to
//! everybody but the zone's owner; a step that the probe found possible and that fails later is an error and
//! never a silent step less; what the machine does not offer is named by [`Abilities::reduced`].

mod ability;
mod account;
pub mod cgroup;
pub mod ending;
pub mod enter;
mod error;
pub mod helper;
mod mounts;
pub mod namespaces;
mod plan;
pub mod process;
mod walls;

pub use ability::{Abilities, answer_probe};
pub use account::{Account, Kind, Worker};
pub use error::Error;
pub use plan::{Config, Confine, Limits, Plan};
