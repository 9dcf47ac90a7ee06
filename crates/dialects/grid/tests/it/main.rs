//! Tests of the door with real access and store, and a stand-in for services: one binary.

mod bed;
mod handshake;
mod process;
mod table;
mod test_zone;
