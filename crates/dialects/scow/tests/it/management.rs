//! The management side as SCOW's clients meet it, over real books.

mod bad;
pub(crate) mod bed;
mod first_start;
mod jobs;
mod payments;
mod people;
mod prices;
