//! Money on both engines: who pays, what jobs cost, and that the books hold whatever happens.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads how often it is to run, and a process of its own its work"
)]

mod bed;
mod kills;
mod lists;
mod oracle;
mod parallel;
mod paying;
mod people;
mod prices;
mod property;
mod settling;
