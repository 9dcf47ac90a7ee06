//! The protocol as SCOW's clients meet it: the real services in the rules for every call, over a real store, real
//! sessions, a real process that reads files, and a simulated job engine, without a network between.

mod engine;
mod files;
mod jobs;
mod management;
mod unpaid;
mod upload;
mod zone;
