//! Judges the wire as it is built: against the protocols' facts, against the last release, and with buf.

#![expect(
    clippy::unwrap_used,
    reason = "a judge that cannot go on fails, which is what a test is for"
)]

mod baseline;
mod buf;
mod facts;
mod fault;
mod lines;
mod mutations;
mod secrets;
mod status;
mod stubs;
