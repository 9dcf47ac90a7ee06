//! The repository's documents: links lead somewhere, and commands shown to a reader are there.
//!
//! A fenced block marked `sh` holds commands, one per line. What `make` and `cargo xtask` are told must exist here;
//! that every `soke ..` exists, and that the blocks marked `sh run` do work, which needs no look at them here, is for the
//! whole-zone tests.

use super::{
    Breach,
    tree::{File, Tree, has_ending},
};

/// Programs of any Debian that a document may use without more.
const PLAIN: &[&str] = &[
    "soke", "git", "cd", "rm", "cat", "cp", "chmod", "mkdir", "echo", "export", "openssl", "psql",
];

/// Commands of the project's own tool.
const XTASK: &[&str] = &["check", "test"];

/// Checks every Markdown file.
pub(crate) fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in tree.files.iter().filter(|file| has_ending(&file.path, "md")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut fence: Option<&str> = None;
        for (index, line) in file.text.lines().enumerate() {
            if let Some(language) = line.trim().strip_prefix("```") {
                fence = fence.is_none().then_some(language);
                continue;
            }
            let number = index + 1;
            match fence {
                Some("sh") => breaches.extend(command(tree, file, number, line)),
                Some(_) => {}
                None => breaches.extend(links(line).filter_map(|target| {
                    let there = tree.root.join(folder).join(target).exists();
                    let what = format!("the link to `{target}` leads nowhere");
                    (!there).then(|| Breach::new(&file.path, number, what, "name a file that is there"))
                })),
            }
        }
    }
    breaches
}

/// The paths that a line links to, without other sites and without places inside a page.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split_once(')')?.0;
        let path = target.split_once('#').map_or(target, |(path, _)| path);
        (!path.is_empty() && !path.contains("://") && !path.starts_with("mailto:")).then_some(path)
    })
}

/// A command of a document that is not there.
fn command(tree: &Tree, file: &File, number: usize, line: &str) -> Option<Breach> {
    let line = line.split(" #").next().unwrap_or(line);
    let mut words = line.split_whitespace().skip_while(|word| is_assignment(word));
    let program = words.next().filter(|word| !word.starts_with('#'))?;
    let first = words.next().unwrap_or_default();
    let there = match program {
        "make" => tree.file("Makefile").is_some_and(|makefile| {
            makefile
                .text
                .lines()
                .any(|rule| rule.split(':').next() == Some(first))
        }),
        "cargo" if first == "xtask" => words.next().is_some_and(|word| XTASK.contains(&word)),
        "cargo" => ["build", "test", "run", "clippy", "fmt", "doc"].contains(&first),
        path if path.contains('/') => tree.root.join(path).exists(),
        plain => PLAIN.contains(&plain),
    };
    let what = format!("the command `{}` is not there", line.trim());
    (!there).then(|| Breach::new(&file.path, number, what, "show a command that works"))
}

/// Whether a word sets a variable for the command behind it.
fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map_or("", |(name, _)| name);
    !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}
