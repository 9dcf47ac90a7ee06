//! Tests of access with a real store: one binary, one file for each promise's group.

mod bed;
mod certificates;
mod front_ends;
mod rights;
mod root;
mod secrets;
mod servers;
mod sign_in;
mod story;
mod tokens;
mod trail;
mod wallets;
