//! Everything that a rule of the tree does not hold for, in one place.
//!
//! | rule | does not hold for |
//! | --- | --- |
//! | file length, function length (clippy's too) | test code; benches; data tables |
//! | `anyhow` | the crates beside the product: [`TOOLS`] |
//! | `store.write` | `crates/store`, `crates/access`, `bench` |
//! | `tonic::transport` | `crates/rpc` (generated code lies outside the tree); the bench's bare tonic |
//! | bare `sleep` | code that is no test; a call with a comment `// may sleep: <reason>` above it or beside it |
//!
//! *Test code* is a file named `tests.rs`, anything below a folder named `tests`, and the lines of an item under
//! `#[cfg(test)]`. A *bench* lies below a folder named `bench` or `benches`. A *data table* is a Rust file without
//! a function body and without a macro: constants, statics and types only.

/// Crates that are no part of the product and may use `anyhow`.
pub(crate) const TOOLS: &[&str] = &["xtask", "tests", "testbed", "bench"];

/// Folders whose code may call `store.write` itself.
pub(crate) const STORE_WRITERS: &[&str] = &["crates/store/", "crates/access/", "bench/"];

/// Folders whose code may use tonic's transport, and the file that is compared with `rpc`.
pub(crate) const TRANSPORT: &[&str] = &["crates/rpc/", "bench/src/grpc/bare.rs"];

/// The comment that allows one bare sleep in a test; the reason follows it.
pub(crate) const MAY_SLEEP: &str = "// may sleep: ";

/// Whether the whole file is test code.
pub(crate) fn is_test_file(path: &str) -> bool {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    name == "tests.rs" || folders.split('/').any(|folder| folder == "tests")
}

/// Whether the file is a bench.
pub(crate) fn is_bench(path: &str) -> bool {
    path.split('/').any(|part| part == "bench" || part == "benches")
}

/// Whether the file lies in one of the folders.
pub(crate) fn lies_in(path: &str, folders: &[&str]) -> bool {
    folders.iter().any(|folder| path.starts_with(folder))
}
