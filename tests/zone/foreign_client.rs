//! Must hold 6: a client that shares nothing with Soke but the .proto files: Python's grpcio.

use std::{path::PathBuf, process::Command, time::Duration};

use serde_json::{Value, json};
use tasks::Clock;

use crate::harness::{LONG, Zone, eventually, run};

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/zone/python/client.py");
const BAD_INPUTS: &str = include_str!("python/bad_inputs.json");

/// Runs one play of the Python client against a zone.
fn play(zone: &Zone, play: &str, mut given: Value) {
    let tools = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    let python = tools.join("venv/bin/python");
    assert!(
        python.exists() && tools.join("python/stamp").exists(),
        "{} is missing: run tests/tools/install",
        python.display()
    );
    given["play"] = play.into();
    given["address"] = zone.address().to_string().into();
    given["ca"] = zone
        .data()
        .join("run/ca.pem")
        .to_string_lossy()
        .into_owned()
        .into();
    let mut command = Command::new(python);
    command
        .arg("-B")
        .arg(CLIENT)
        .env_clear()
        .env("PYTHONPATH", tools.join("python"));
    let said = run(command, &given.to_string(), LONG);
    assert_eq!(
        said.code,
        Some(0),
        "{}\n{}\n{}",
        said.out,
        said.errors,
        zone.log()
    );
}

#[test]
fn a_python_client_signs_in_submits_lists_downloads_and_cancels() {
    let zone = Zone::builder().start();
    play(&zone, "story", json!({ "code": zone.owner_code() }));
}

#[test]
fn without_or_with_a_bad_bearer_every_call_is_refused() {
    let life = Duration::from_secs(2);
    let zone = Zone::builder()
        .config("[access]\naccess_token_secs = 2\n")
        .start();
    let wire = zone.wire();
    let clock = Clock::system();
    let first = wire.sign_in(&zone.owner_code()).access_token;
    let begun = clock.monotonic();
    let revoked = wire.sign_in(&wire.sign_in_code(&first, "keeper")).access_token;
    assert_eq!(
        wire.code("/soke.v1.SessionService/SignOut", b"", Some(&revoked)),
        tonic::Code::Ok
    );
    // A token signed by another zone, and one whose signature was changed.
    let other = Zone::builder().start();
    let foreign = other.wire().sign_in(&other.owner_code()).access_token;
    let mut changed = first.clone();
    let last = if changed.ends_with('A') { 'B' } else { 'A' };
    changed.replace_range(changed.len() - 5..changed.len() - 4, &last.to_string());
    eventually(LONG, "the first token expires", || {
        (begun.elapsed() > life + Duration::from_secs(1)).then_some(())
    });
    let bearers = json!({
        "wrong": "no-token-at-all",
        "empty-parts": "..",
        "foreign": foreign,
        "changed": changed,
        "expired": first,
        "revoked": revoked,
    });
    play(&zone, "refusals", json!({ "bearers": bearers }));
}

#[test]
fn each_wrong_field_is_refused_by_name_and_all_of_them_at_once() {
    let zone = Zone::builder().start();
    let bearer = zone.wire().sign_in(&zone.owner_code()).access_token;
    let rows: Value = serde_json::from_str(BAD_INPUTS).expect("the table is JSON");
    play(&zone, "bad_inputs", json!({ "bearer": bearer, "rows": rows }));
}

#[test]
fn z05_a_path_that_is_not_exactly_a_method_is_unimplemented() {
    let zone = Zone::builder().start();
    let bearer = zone.wire().sign_in(&zone.owner_code()).access_token;
    play(&zone, "paths", json!({ "bearer": bearer }));
}

#[test]
fn t03_a_token_made_without_the_zones_key_is_refused() {
    let zone = Zone::builder().start();
    let bearer = zone.wire().sign_in(&zone.owner_code()).access_token;
    play(&zone, "forgeries", json!({ "bearer": bearer }));
}
