//! No tracked file names a folder of the machine it was written on.

use super::{Breach, tree::File};

/// Beginnings of absolute paths that mean one machine, taken apart so that this file does not name them.
const MACHINE: &[&[&str]] = &[&["/", "work/"], &["/tmp/", "bash_jobs"], &["/", "root/"]];

/// Finds paths of one machine in a file.
pub(crate) fn check(file: &File) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for start in MACHINE.iter().map(|parts| parts.concat()) {
        for (index, line) in file.text.lines().enumerate() {
            if line.match_indices(&start).any(|(at, _)| begins_there(line, at)) {
                let what = format!("the path `{start}..` of one machine");
                breaches.push(Breach::new(
                    &file.path,
                    index + 1,
                    what,
                    "name it relative to the repository, or take it out",
                ));
            }
        }
    }
    breaches
}

/// Whether an absolute path begins at the place: nothing that belongs to a longer path stands before it.
fn begins_there(line: &str, at: usize) -> bool {
    let before = line.get(..at).and_then(|text| text.chars().next_back());
    before
        .is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '}' | '$' | '~' | '*')))
}
