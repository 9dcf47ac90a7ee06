//! The configuration as text: each key, its value and where the value came from.
//!
//! What it leaves to others: hiding secrets (`reader` never hands one over).

use std::path::Path;

use super::layers::Origin;

/// One line of `soke config show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) key: &'static str,
    /// The value as TOML.
    pub(super) value: String,
    pub(super) origin: Origin,
}

/// Writes TOML that could be used as `soke.toml`, with the origin of each value behind it.
pub(super) fn text(data: &Path, shown: &[Shown]) -> String {
    let mut out = format!("# data folder: {}\n", data.display());
    let parts = |line: &Shown| line.key.split_once('.').unwrap_or(("", line.key));
    // TOML names a section once, and two rooms may have read from it: the keys stand where its first one was read.
    let first = |own: &str| shown.iter().position(|line| parts(line).0 == own);
    let mut sorted: Vec<&Shown> = shown.iter().collect();
    sorted.sort_by_key(|line| first(parts(line).0));
    let mut section = "";
    for line in sorted {
        let (own, key) = parts(line);
        if own != section {
            out.push_str(&format!("\n[{own}]\n"));
            section = own;
        }
        let setting = if line.value.starts_with('(') {
            format!("# {key} {}", line.value)
        } else {
            format!("{key} = {}", line.value)
        };
        out.push_str(&format!("{setting:<40} # {}\n", line.origin));
    }
    out
}
