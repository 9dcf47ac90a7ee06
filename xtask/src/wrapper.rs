//! What cargo calls in place of rustc for the crates of the workspace: clippy's driver, which compiles and lints in one
//! go, and then rustdoc, which looks at the links.
//!
//! `cargo clippy` and `cargo doc` beside `cargo build` would have every dependency read by the compiler twice. Here the
//! checks ride on the one build that the tests need. Cargo keeps what a compiler said and says it again for what is up
//! to date, so that a breach is found however often it was built before.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// Where the wrapper lies, below the workspace's folder: a copy of this program, as the build replaces this program.
const PLACE: &str = "target/lint";

/// Lets a cargo command that runs in the workspace use the wrapper.
pub(crate) fn wrap(root: &Path, command: &mut Command) -> Result<()> {
    let place = install(root).context("put the wrapper of the compiler in its place")?;
    command.env("RUSTC_WORKSPACE_WRAPPER", place);
    Ok(())
}

/// The same for a command that builds the tests. What would speed up later builds is left out, as it makes this one a
/// fifth longer; by hand, cargo still does it.
pub(crate) fn wrap_build(root: &Path, command: &mut Command) -> Result<()> {
    command.env("CARGO_INCREMENTAL", "0");
    wrap(root, command)
}

/// Copies this program to its place, unless it is there: a build that goes on may be using it.
fn install(root: &Path) -> Result<PathBuf> {
    let place = root.join(PLACE);
    // By its process: the build may have replaced the file since.
    let own = format!("/proc/{}/exe", std::process::id());
    let program = std::fs::read(&own)?;
    if std::fs::read(&place).is_ok_and(|there| there == program) {
        return Ok(place);
    }
    std::fs::create_dir_all(root.join("target"))?;
    let fresh = place.with_extension(std::process::id().to_string());
    // A process of its own copies: what this one has open for writing may not be run while another thread starts one.
    let copied = Command::new("cp").arg(&own).arg(&fresh).status()?;
    if !copied.success() {
        bail!("cp to {} failed", fresh.display());
    }
    std::fs::rename(&fresh, &place)?;
    Ok(place)
}

/// Whether the program was called in place of the compiler: cargo gives its path first.
pub(crate) fn is_compiler(word: &str) -> bool {
    Path::new(word).file_stem().is_some_and(|name| name == "rustc")
}

/// Compiles and lints one crate, then looks at its links; says whether there was no error.
///
/// No lint fails the build, whatever its level: it is a breach all the same, and the tests still run.
pub(crate) fn run(rustc: &str, arguments: &[&str]) -> Result<bool> {
    let tool = |name: &str| Path::new(rustc).with_file_name(name);
    let mut compile = Command::new(tool("clippy-driver"));
    compile.arg(rustc).args(arguments);
    if arguments.contains(&"--crate-name") {
        compile.args(CAPPED);
    }
    if !compile.status().context("run clippy-driver")?.success() {
        return Ok(false);
    }
    let Some(arguments) = documented(arguments) else {
        return Ok(true);
    };
    let mut document = Command::new(tool("rustdoc"));
    document.args(&arguments).args(CAPPED).stdin(Stdio::null());
    Ok(document.status().context("run rustdoc")?.success())
}

/// Makes errors of lints that are denied into warnings.
const CAPPED: [&str; 2] = ["--cap-lints", "warn"];

/// What rustdoc is given for a library or a program; none for a test, an example, a build script or a question to the
/// compiler.
fn documented(arguments: &[&str]) -> Option<Vec<String>> {
    let mut kept = vec!["--document-private-items".to_owned()];
    let mut out = None;
    let mut words = arguments.iter();
    while let Some(&word) = words.next() {
        match word {
            "--test" => return None,
            "--out-dir" => out = words.next(),
            "--crate-name" => {
                let name = *words.next()?;
                if name.starts_with("build_script_") {
                    return None;
                }
                kept.extend([word.to_owned(), name.to_owned()]);
            }
            "-C" => {
                let option = *words.next()?;
                if !LINKING.iter().any(|start| option.starts_with(start)) {
                    kept.extend([word.to_owned(), option.to_owned()]);
                }
            }
            _ if word.starts_with("--emit") => {}
            _ => kept.push(word.to_owned()),
        }
    }
    let out = Path::new(out?);
    if out.ends_with("examples") {
        return None;
    }
    let pages = out.with_file_name("doc");
    kept.extend(["--out-dir".to_owned(), pages.to_str()?.to_owned()]);
    Some(kept)
}

/// Options of the code that rustc writes, of which rustdoc writes none.
const LINKING: [&str; 4] = ["metadata=", "extra-filename=", "incremental=", "link"];

#[cfg(test)]
mod tests {
    use super::{documented, is_compiler};

    #[test]
    fn rustdoc_is_given_what_makes_the_crate_and_not_what_makes_its_code() {
        let line = "--crate-name jobs --edition=2024 src/lib.rs --error-format=json --crate-type lib \
            --emit=dep-info,metadata,link -C opt-level=1 --warn=missing_docs -C metadata=12 -C extra-filename=-12 \
            --out-dir /t/quick/deps -C incremental=/t/quick/incremental -L dependency=/t/quick/deps \
            --extern model=/t/quick/deps/libmodel-34.rmeta";
        let words: Vec<&str> = line.split_whitespace().collect();
        let expected = "--document-private-items --crate-name jobs --edition=2024 src/lib.rs --error-format=json \
            --crate-type lib -C opt-level=1 --warn=missing_docs -L dependency=/t/quick/deps \
            --extern model=/t/quick/deps/libmodel-34.rmeta --out-dir /t/quick/doc";
        assert_eq!(
            documented(&words).map(|found| found.join(" ")),
            Some(expected.to_owned())
        );
    }

    #[test]
    fn tests_examples_build_scripts_and_questions_have_no_pages() {
        for line in [
            "--crate-name jobs src/lib.rs --test --out-dir /t",
            "--crate-name hello examples/hello.rs --out-dir /t/quick/examples",
            "--crate-name build_script_build build.rs --out-dir /t",
            "-vV",
        ] {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(documented(&words), None, "{line}");
        }
    }

    #[test]
    fn the_compiler_is_known_by_its_name() {
        assert!(is_compiler("/toolchains/1.95.0/bin/rustc") && !is_compiler("check"));
    }
}
