//! The project's own tool: `cargo xtask check` holds the tree to its rules, `cargo xtask test` runs every test.
//!
//! It knows no part of the product: it reads sources, manifests and the output of cargo, and nothing else.

mod check;
mod console;
mod run_tests;
mod wrapper;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Result, bail};

const USAGE: &str = "usage:
  cargo xtask check [--fast | --build] [--root DIR]
        hold the tree to its rules; --fast leaves out what compiles, --build compiles for the tests as well
  cargo xtask test [--full] [--check]
        run every test and print the counts; --full uses the full counts, --check counts the check as one more test";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            console::complain(&format!("xtask: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Runs the command that the arguments name; says whether everything was in order.
fn dispatch(arguments: &[String]) -> Result<bool> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["check", rest @ ..] => check::run(&check_options(rest)?),
        ["test", rest @ ..] => run_tests::run(&workspace_root(), test_options(rest)?),
        [rustc, rest @ ..] if wrapper::is_compiler(rustc) => wrapper::run(rustc, rest),
        _ => bail!("{USAGE}"),
    }
}

fn check_options(words: &[&str]) -> Result<check::Options> {
    Ok(match words {
        [] => check::Options {
            root: workspace_root(),
            depth: Some(check::Depth::Check),
        },
        ["--fast", rest @ ..] => check::Options {
            depth: None,
            ..check_options(rest)?
        },
        ["--build", rest @ ..] => check::Options {
            depth: Some(check::Depth::Build),
            ..check_options(rest)?
        },
        ["--root", root, rest @ ..] => check::Options {
            root: std::path::absolute(root)?,
            ..check_options(rest)?
        },
        [other, ..] => bail!("unknown argument `{other}`\n{USAGE}"),
    })
}

fn test_options(words: &[&str]) -> Result<run_tests::Options> {
    Ok(match words {
        [] => run_tests::Options::default(),
        ["--full", rest @ ..] => run_tests::Options {
            full: true,
            ..test_options(rest)?
        },
        ["--check", rest @ ..] => run_tests::Options {
            check: true,
            ..test_options(rest)?
        },
        [other, ..] => bail!("unknown argument `{other}`\n{USAGE}"),
    })
}

/// The folder of the workspace that this tool was built from.
fn workspace_root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}
