//! How long the binary takes to build: from nothing, and after one changed file.

use std::{path::Path, process::Command, time::SystemTime};

use anyhow::{Result, ensure};

use crate::{line, root, timed};

/// Prints the report. Its figures have no bound of their own: `make test` has one.
pub(crate) fn report() -> Result<bool> {
    let folder = tempfile::tempdir_in(root().join("target"))?;
    let (cold, took) = timed(|| build(folder.path()));
    cold?;
    line(
        "build: cold, profile quick",
        &format!("{:.0} s", took.as_secs_f64()),
        "",
        true,
    );
    let source = root().join("crates/soke/src/main.rs");
    touch(&source)?;
    let (warm, took) = timed(|| build(folder.path()));
    warm?;
    line(
        "build: one file of soke changed",
        &format!("{:.1} s", took.as_secs_f64()),
        "",
        true,
    );
    touch(&root().join("crates/model/src/lib.rs"))?;
    let (warm, took) = timed(|| build(folder.path()));
    warm?;
    line(
        "build: one file of model changed",
        &format!("{:.1} s", took.as_secs_f64()),
        "",
        true,
    );
    Ok(true)
}

fn build(target: &Path) -> Result<()> {
    let built = Command::new("cargo")
        .args([
            "build",
            "--quiet",
            "--profile",
            "quick",
            "--locked",
            "--package",
            "soke",
            "--target-dir",
        ])
        .arg(target)
        .current_dir(root())
        .status()?;
    ensure!(built.success(), "cargo build fails");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a changed file is told by real time")]
fn touch(path: &Path) -> Result<()> {
    std::fs::File::options()
        .append(true)
        .open(path)?
        .set_modified(SystemTime::now())?;
    Ok(())
}
