//! Renews `proto/baseline.binpb`: `cargo run --profile quick -p wire --example baseline`.
//!
//! Run it when a release is made, and never to silence the test that compares with it.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/baseline.binpb");
    std::fs::write(path, wire::DESCRIPTORS)
}
