//! The native port for tools that know nothing of Soke: grpcurl by reflection, gRPC-Web by what any language brings along,
//! and health by bare bytes.
//!
//! What it leaves to others: who may make which call (`matrix`), and every case of gRPC-Web (the gateway's own tests).

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::harness::{LONG, Said, Zone, go_program, run};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn tools() -> PathBuf {
    Path::new(ROOT).join("target/tools")
}

#[test]
fn grpcurl_lists_describes_and_calls_at_the_native_port_for_whoever_is_signed_in() {
    // Where it is left out, what it asks is asked in the native dialect's own tests all the same.
    let Some(grpcurl) = go_program("bin/grpcurl") else {
        return;
    };
    let zone = Zone::builder().start();
    let wire = zone.wire();
    let owner = wire.sign_in(&zone.owner_code()).access_token;
    let member = wire
        .sign_in(&wire.create_user(&owner, "bob", "member"))
        .access_token;
    let address = zone.address().to_string();
    let ca = zone.data().join("run/ca.pem");
    let ask = |bearer: Option<&str>, arguments: &[&str]| -> Said {
        let mut command = Command::new(&grpcurl);
        command
            .arg("-cacert")
            .arg(&ca)
            .args(["-authority", "soke.localhost"]);
        if let Some(bearer) = bearer {
            command.args(["-H", &format!("authorization: Bearer {bearer}")]);
        }
        // The message stands before the address, the question behind it.
        let (message, question) = match arguments {
            ["-d", message, rest @ ..] => (Some(*message), rest),
            rest => (None, rest),
        };
        if let Some(message) = message {
            command.args(["-d", message]);
        }
        command.arg(&address).args(question).env_clear();
        run(command, "", LONG)
    };
    let good = |arguments: &[&str]| {
        let said = ask(Some(&member), arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}\n{}", zone.log());
        said.out
    };
    let listed = good(&["list"]);
    for name in [
        "soke.v1.JobService",
        "scow.portal.JobService",
        "grpc.health.v1.Health",
    ] {
        assert!(listed.lines().any(|line| line == name), "{listed}");
    }
    for package in ["scow.server.", "pb.", "helloworld.", "grpc.testing."] {
        assert!(!listed.lines().any(|line| line.starts_with(package)), "{listed}");
    }
    let described = good(&["describe", "soke.v1.ZoneService.GetStatus"]);
    let method = "rpc GetStatus ( .soke.v1.GetStatusRequest ) returns ( .soke.v1.GetStatusResponse );";
    assert!(described.contains(method), "{described}");
    let message = good(&["describe", "soke.v1.Job"]);
    assert!(message.contains("uint32 number"), "{message}");
    let called = good(&["-d", "{}", "soke.v1.ZoneService/GetStatus"]);
    let status: Value = serde_json::from_str(&called).expect("JSON");
    assert_eq!(status["zoneHost"], "soke.localhost");
    let called = good(&[
        "-d",
        r#"{"service":"soke.v1.JobService"}"#,
        "grpc.health.v1.Health/Check",
    ]);
    assert_eq!(called, "{\n  \"status\": \"SERVING\"\n}\n");
    for stranger in [None, Some("not.a.token")] {
        let said = ask(stranger, &["list"]);
        assert_ne!(said.code, Some(0), "{said:?}");
        assert_eq!(said.out, "", "nothing is told");
        assert!(
            said.errors.contains("Unauthenticated") || said.errors.contains("authenticat"),
            "{said:?}"
        );
    }
}

#[test]
fn pages_call_by_grpc_web_and_probers_ask_for_health_at_the_native_port() {
    let zone = Zone::builder().start();
    let wire = zone.wire();
    let bearer = wire.sign_in(&zone.owner_code()).access_token;
    let job = wire.submit(&bearer, "seq 1000");
    wire.job_until(&bearer, job, wire::soke::v1::JobState::Completed);
    let world = json!({
        "address": zone.address().to_string(),
        "ca": zone.data().join("run/ca.pem"),
        "bearer": bearer,
        "job": job,
    });
    let python = tools().join("venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run tests/tools/install",
        python.display()
    );
    let mut command = Command::new(python);
    command
        .arg("-B")
        .arg(Path::new(ROOT).join("tests/zone/python/web.py"))
        .env_clear()
        .env("PYTHONPATH", tools().join("python"));
    let said = run(command, &world.to_string(), LONG);
    assert_eq!(said.code, Some(0), "{said:?}\n{}", zone.log());
}
