//! Whole-zone tests: real processes of the binary, each test with a zone of its own in a temporary folder.
//!
//! What it is for: what only the whole can promise: start and stop, a job across the death of its server, who is
//! refused what at every door, and where no secret may turn up. What it leaves to others: the rooms' own tests.

mod harness;

mod after_power_cuts;
mod command_line;
mod configuration;
mod data_folder;
mod documents;
mod documents_greeter;
mod first_run;
mod foreign_client;
mod greeter;
mod grid;
mod grpc_page;
mod hostile;
mod interop;
mod kapi;
mod litekube;
mod matrix;
mod money;
mod money_after_kills;
mod native_tools;
mod nodes;
mod on_postgresql;
mod scow_doors;
mod scow_management;
mod secrets;
mod services;
mod stopping;
mod story;
mod two_nodes;
mod uploads;
mod walls;
