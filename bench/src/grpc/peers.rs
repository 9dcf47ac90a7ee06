//! The servers that are measured, as commands.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Error, Result, ensure};

use super::process::Server;
use crate::root;

/// Makes the command of a server with this name.
type Make = fn(&'static str) -> Result<Command>;

/// Starts every server; those that cannot run here say why.
pub(crate) fn start() -> Vec<Result<Server, (&'static str, Error)>> {
    let all: [(&'static str, Make); 6] = [
        ("tonic", own),
        ("rpc", own),
        ("soke", own),
        ("grpc-js", node),
        ("grpcio", python),
        ("grpc-go", go),
    ];
    let begun = all.into_iter().map(|(name, command)| {
        let server = command(name).and_then(|mut command| Server::start(name, &mut command));
        server.map_err(|error| (name, error))
    });
    begun.collect()
}

/// One of ours: this program again.
fn own(name: &'static str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["grpc-serve", name]);
    Ok(command)
}

/// What `tests/tools/install` puts there.
fn tool(name: &str) -> Result<PathBuf> {
    let path = root().join("target/tools").join(name);
    ensure!(path.exists(), "make tools puts target/tools/{name} there");
    Ok(path)
}

fn peer(name: &str) -> PathBuf {
    root().join("bench/grpc").join(name)
}

fn node(_: &'static str) -> Result<Command> {
    let modules = tool("grpc-js/node_modules")?;
    let mut command = Command::new("node");
    command
        .arg(peer("server.js"))
        .arg(root().join("proto"))
        .env("NODE_PATH", modules);
    Ok(command)
}

fn python(_: &'static str) -> Result<Command> {
    let mut command = Command::new(tool("venv/bin/python")?);
    command.arg(peer("server.py")).env("PYTHONPATH", tool("python")?);
    Ok(command)
}

/// Builds the Go server; the Go tools keep what was built.
fn go(_: &'static str) -> Result<Command> {
    let program = root().join("target/tools/bin/bench-grpc-go");
    let mut build = Command::new("go");
    build
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(peer("go"))
        .stdin(Stdio::null());
    let built = build.output().context("a Go toolchain is not there")?;
    // Go's own last word, such as that it is too old.
    let said = String::from_utf8_lossy(&built.stderr);
    let why = said.lines().last().unwrap_or_default();
    ensure!(built.status.success(), "the Go server does not build: {why}");
    Ok(Command::new(program))
}
