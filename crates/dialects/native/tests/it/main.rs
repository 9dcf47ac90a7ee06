//! The protocol as a client meets it: the real services in the rules for every call, over a real store and real
//! sessions, without a network between.

mod account;
/// The engine of the tests of both protocols that have jobs.
#[path = "../../../scow/tests/it/engine.rs"]
mod engine;
mod health;
mod job;
mod node;
mod reflection;
mod service;
mod session;
mod user;
mod zone;
