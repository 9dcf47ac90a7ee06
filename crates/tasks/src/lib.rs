//! Who owns each background task, and when it stops.
//!
//! What it is for: every task and thread of the house starts through [`Tasks`], under a name and a
//! [`Policy`] that says what its end means, so that nothing runs unowned and a stop can name what it waits
//! for. Time is read only through a [`Clock`]. What it leaves to others: what the tasks do, and the order in
//! which rooms stop (crate `soke`).
//!
//! Invariants: a task that ends by itself under [`Policy::StopAll`] stops every other task; a panic in a
//! task never passes unlogged; [`Tasks::stop`] returns within its grace.

mod backoff;
mod clock;
mod crew;
mod owner;

pub use backoff::Backoff;
pub use clock::Clock;
pub use crew::Crew;
pub use owner::{Panicked, Policy, Stopped, Tasks};
