//! `cargo xtask check`: every rule of the tree, one line per breach with its place and its cure.
//!
//! What reads only text runs beside what compiles, so that the whole takes as long as clippy does.
//! Each rule sits in a module of its own below; what is exempt from which rule stands in [`exempt`].

mod compile;
mod documents;
mod exempt;
mod graph;
mod layers;
mod length;
mod licence;
mod manifests;
mod paths;
mod rust;
mod tokens;
mod tree;

use std::{collections::BTreeSet, fmt, path::PathBuf};

use anyhow::{Result, anyhow};

use crate::console::{StopWatch, say};
pub(crate) use compile::Depth;
use tree::Tree;

/// What to check.
#[derive(Debug)]
pub(crate) struct Options {
    /// The workspace's folder.
    pub(crate) root: PathBuf,
    /// How far the compiler goes for rustfmt, clippy and rustdoc; none leaves them out.
    pub(crate) depth: Option<Depth>,
}

/// One place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Breach {
    /// The file, relative to the workspace's folder.
    pub(crate) file: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) what: String,
    /// What to do.
    pub(crate) cure: String,
}

impl Breach {
    fn new(file: &str, line: usize, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            what: what.into(),
            cure: cure.into(),
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {}; cure: {}",
            self.file, self.line, self.what, self.cure
        )
    }
}

/// Runs all checks and prints the breaches; says whether there were none.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let watch = StopWatch::start();
    let mut breaches = BTreeSet::new();
    std::thread::scope(|scope| -> Result<()> {
        let compiled = options
            .depth
            .map(|depth| scope.spawn(move || compile::check(&options.root, depth)));
        breaches.extend(read(&options.root)?);
        if let Some(compiled) = compiled {
            let found = compiled
                .join()
                .map_err(|_panic| anyhow!("the compiling checks panicked"))?;
            breaches.extend(found?);
        }
        Ok(())
    })?;
    for breach in &breaches {
        say(&breach.to_string());
    }
    let seconds = watch.elapsed().as_secs_f64();
    match breaches.len() {
        0 => say(&format!("check: clean ({seconds:.1} s)")),
        1 => say(&format!("check: 1 breach ({seconds:.1} s)")),
        many => say(&format!("check: {many} breaches ({seconds:.1} s)")),
    }
    Ok(breaches.is_empty())
}

/// The checks that compile nothing.
fn read(root: &std::path::Path) -> Result<Vec<Breach>> {
    let tree = Tree::read(root)?;
    let mut breaches = Vec::new();
    for file in &tree.files {
        breaches.extend(paths::check(file));
        if file.is_rust() {
            breaches.extend(rust::check(file, &manifests::dependencies(&tree, &file.path)));
        }
    }
    breaches.extend(documents::check(&tree));
    breaches.extend(manifests::check(&tree));
    breaches.extend(graph::check(&tree)?);
    Ok(breaches)
}
