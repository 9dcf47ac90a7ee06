//! The machine's half: its keys on disk, its join, the loop that keeps it one of the zone's, and what it answers.
//!
//! What it leaves to others: the work that is done on the machine (it comes in as a service), and where the data
//! folder is (`soke`).

mod error;
mod files;
mod jobs;
mod join;
mod keep;
mod keys;
mod own;
mod place;
mod services;
mod tunnel;
mod work;

pub use self::files::add_files;
pub use self::jobs::add_jobs;
pub use self::services::add_services;
pub use error::Error;
pub use join::{Invitation, join};
pub use keep::{Machine, Settings, keep};
pub use own::{certificate_request, forget, keep_certificate};
pub use place::{Member, read};
pub use tunnel::{Ports, add_tunnels};
pub use work::work;
