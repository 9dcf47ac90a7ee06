//! Jobs on this very machine: real processes, real limits, real ends.
//!
//! As root the jobs run under uids of the zone; the same tests then run once more under another uid, where
//! they run behind walls. Each hard case runs with everything that the machine offers, and again without
//! namespaces and control groups.

mod admission;
mod adoption;
mod apart;
mod ends;
mod hard;
mod machine;
mod without_root;
mod zone;
