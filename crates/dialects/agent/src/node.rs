//! The machine's half: its keys on disk, its join, and the loop that keeps it one of the zone's.
//!
//! What it leaves to others: the work that is done on the machine (it comes in as a service), and where the data
//! folder is (`soke`).

mod error;
mod join;
mod keep;
mod keys;
mod place;
mod tunnel;
mod work;

pub use error::Error;
pub use join::{Invitation, join};
pub use keep::{Machine, Settings, keep};
pub use place::{Member, read};
pub use tunnel::{Ports, add_tunnels};
pub use work::work;
