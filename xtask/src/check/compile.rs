//! The rules that need a compiler: rustfmt, clippy with the workspace's lints, and rustdoc's links.
//!
//! Clippy and rustdoc ride on one call of cargo, see [`wrapper`], so that each crate is read once. A warning is a breach:
//! it is read from cargo's messages. All runs with profile `quick`, so that what is built serves the tests as well.

use std::{
    io::BufReader,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};
use cargo_metadata::{
    Message,
    diagnostic::{Diagnostic, DiagnosticLevel},
};

use super::{Breach, exempt, tree::plain};
use crate::{
    console::{StopWatch, complain},
    wrapper,
};

/// How far the compiler goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// As far as finding breaches takes.
    Check,
    /// To programs that run, so that the tests find themselves built.
    Build,
}

/// Runs rustfmt, then clippy and rustdoc.
pub(crate) fn check(root: &Path, depth: Depth) -> Result<Vec<Breach>> {
    let mut breaches = timed("rustfmt", || format(root))?;
    let name = match depth {
        Depth::Check => "clippy and rustdoc",
        Depth::Build => "build with clippy and rustdoc",
    };
    breaches.extend(timed(name, || messages(root, depth))?);
    Ok(breaches)
}

fn timed<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let watch = StopWatch::start();
    let answer = work().with_context(|| format!("run {name}"))?;
    complain(&format!(
        "check: {name} took {:.1} s",
        watch.elapsed().as_secs_f64()
    ));
    Ok(answer)
}

/// Files that rustfmt would write differently.
fn format(root: &Path) -> Result<Vec<Breach>> {
    let output = Command::new("cargo")
        .args(["fmt", "--all", "--", "--check"])
        .current_dir(root)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut breaches: Vec<Breach> = text.lines().filter_map(|line| difference(root, line)).collect();
    if !output.status.success() && breaches.is_empty() {
        let what = String::from_utf8_lossy(&output.stderr)
            .lines()
            .next()
            .unwrap_or("cargo fmt failed")
            .to_owned();
        breaches.push(Breach::new("Cargo.toml", 1, what, "run `cargo fmt`"));
    }
    Ok(breaches)
}

/// Reads a line `Diff in PATH:LINE:` of rustfmt.
fn difference(root: &Path, line: &str) -> Option<Breach> {
    let (path, line) = line
        .strip_prefix("Diff in ")?
        .trim_end_matches(':')
        .rsplit_once(':')?;
    let path = Path::new(path);
    let file = path.strip_prefix(root).unwrap_or(path).to_string_lossy();
    Some(Breach::new(
        &file,
        line.parse().ok()?,
        "not formatted",
        "run `cargo fmt`",
    ))
}

/// Compiles the workspace and turns the warnings and errors of clippy and rustdoc into breaches.
fn messages(root: &Path, depth: Depth) -> Result<Vec<Breach>> {
    let mut command = Command::new("cargo");
    match depth {
        Depth::Check => wrapper::wrap(root, command.args(["check", "--quiet"])),
        Depth::Build => wrapper::wrap_build(root, command.arg("build")),
    }?;
    command
        .args(["--workspace", "--all-targets", "--keep-going"])
        .args(["--profile", "quick", "--locked", "--message-format", "json"])
        .current_dir(root)
        .stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut breaches = Vec::new();
    for message in Message::parse_stream(BufReader::new(output)) {
        if let Message::CompilerMessage(found) = message? {
            breaches.extend(breach(root, &found.message));
        }
    }
    if !child.wait()?.success() && breaches.is_empty() {
        breaches.push(Breach::new(
            "Cargo.toml",
            1,
            "the workspace does not compile",
            "see cargo's message above",
        ));
    }
    Ok(breaches)
}

/// A warning or an error with a place; notes and sums have none and say nothing new.
fn breach(root: &Path, diagnostic: &Diagnostic) -> Option<Breach> {
    if !matches!(
        diagnostic.level,
        DiagnosticLevel::Error | DiagnosticLevel::Warning | DiagnosticLevel::Ice
    ) {
        return None;
    }
    let span = diagnostic.spans.iter().find(|span| span.is_primary)?;
    let code = diagnostic.code.as_ref().map_or("", |code| code.code.as_str());
    let path = plain(Path::new(&span.file_name));
    let file = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
    if code == "clippy::too_many_lines" && exempt::is_test_file(&file) {
        return None;
    }
    let cure = match code {
        _ if code.starts_with("rustdoc::") => "mend the doc comment",
        _ => "mend what the lint names",
    };
    let code = match code {
        "" => String::new(),
        code => format!(" [{code}]"),
    };
    let help = diagnostic
        .children
        .iter()
        .find(|child| child.level == DiagnosticLevel::Help);
    let cure = help
        .map_or(cure, |help| help.message.as_str())
        .lines()
        .next()
        .unwrap_or(cure);
    let what = diagnostic
        .message
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    Some(Breach::new(&file, span.line_start, format!("{what}{code}"), cure))
}
