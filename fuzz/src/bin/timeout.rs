//! The target `timeout` of crate rpc under a fuzzer that is guided by coverage.
//!
//! What it leaves to others: what the target holds its input to (`rpc::fuzz`).

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rpc::fuzz::timeout(input));
