//! Money on both engines: who pays, what jobs cost, and that the books hold whatever happens.

mod bed;
mod lists;
mod paying;
mod people;
mod prices;
mod settling;
