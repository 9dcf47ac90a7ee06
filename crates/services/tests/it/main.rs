//! Services on this very machine: real processes that answer at real ports, their ends and their beginnings.
//!
//! As root they run under uids of the zone; the tests of module `life` then run once more under another uid.

mod fetching;
mod life;
mod machine;
mod placing;
mod without_root;
mod zone;
