//! SCOW's minimal path with real jobs, by clients that share nothing with Soke but the .proto files: Python's grpcio,
//! and @grpc/grpc-js, with which SCOW's own pages call.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

use serde_json::{Value, json};

use crate::harness::{LONG, Zone, run};

const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools");
const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/zone");
const PROTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");

/// The front end's secret, as a file holds it.
const TOKEN: &str = "a-token-of-thirty-two-characters";

/// A zone with a front end, and these lines of configuration.
fn zone(lines: &str) -> Zone {
    let scow = "[scow]\nfront_end_token = \"front_end\"\n";
    let mut zone = Zone::builder().config(scow).config(lines).prepare();
    let path = zone.data().join("front_end");
    fs::write(&path, TOKEN).expect("the file is written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("only its owner may read");
    zone.start();
    zone
}

/// What a client is told.
fn given(zone: &Zone) -> Value {
    json!({
        "server": zone.listener("scow.server").to_string(),
        "portal": zone.listener("scow.portal").to_string(),
        "token": TOKEN,
        "proto": PROTO,
    })
}

/// Runs a client to its good end, and gives the steps that it tells.
fn steps(zone: &Zone, command: Command) -> Vec<String> {
    let said = run(command, &given(zone).to_string(), 2 * LONG);
    assert_eq!(
        said.code,
        Some(0),
        "{}\n{}\n{}",
        said.out,
        said.errors,
        zone.log()
    );
    said.out.lines().map(str::to_owned).collect()
}

/// A part of the tools that `tests/tools/install` puts there.
fn tool(name: &str) -> PathBuf {
    let path = PathBuf::from(TOOLS).join(name);
    assert!(
        path.exists(),
        "{} is missing: run tests/tools/install",
        path.display()
    );
    path
}

#[test]
fn scows_minimal_path_is_walked_by_grpcio() {
    let zone = zone("[accounts]\ndecimals = 4\n");
    let mut python = Command::new(tool("venv/bin/python"));
    python
        .arg("-B")
        .arg(format!("{PROGRAMS}/python/scow_path.py"))
        .env_clear()
        .env("PYTHONPATH", tool("python"));
    let steps = steps(&zone, python);
    assert_eq!(steps.len(), 7, "{steps:?}");
    assert!(steps[6].starts_with("charged "), "{steps:?}");
}

#[test]
fn scows_minimal_path_is_walked_by_grpc_js() {
    let zone = zone("");
    let mut node = Command::new("node");
    node.arg(format!("{PROGRAMS}/node/scow_path.mjs"))
        .arg(tool("grpc-js"));
    let steps = steps(&zone, node);
    assert_eq!(steps.len(), 7, "{steps:?}");
    assert!(steps[6].starts_with("charged "), "{steps:?}");
}
