//! Files put into a zone by its command line: whole and as the user, or not at all.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use crate::harness::{LONG, Zone, eventually};

const MIB: usize = 1 << 20;

/// What the home in the zone holds, as a job sees it.
fn home(zone: &Zone) -> Vec<String> {
    let listed = zone.good(&["run", "--", "find", ".", "-type", "f", "!", "-name", "job-*"]);
    let mut names: Vec<String> = listed.lines().map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn a_file_of_100_mib_is_put_whole_and_a_job_reads_it() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let large = zone.around().join("large.bin");
    let bytes: Vec<u8> = (0..100 * MIB).map(|i| (i * 7 + i / 251) as u8).collect();
    fs::write(&large, bytes).expect("written");
    let path = large.to_str().expect("text");
    let said = zone.good(&["put", path]);
    assert_eq!(said, format!("large.bin: {} bytes\n", 100 * MIB));
    let sum = |output: &str| output.split_whitespace().next().map(str::to_owned);
    let here = Command::new("sha256sum")
        .arg(&large)
        .output()
        .expect("coreutils are there");
    let there = zone.good(&["run", "--", "sha256sum", "large.bin"]);
    assert_eq!(
        sum(&there),
        sum(&String::from_utf8_lossy(&here.stdout)),
        "{there}"
    );
    // Again and elsewhere, from standard input, with an answer for programs.
    let said = zone.soke_with_input(&["put", "-", "large.bin", "--json"], "small");
    let answer: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(
        answer,
        serde_json::json!({ "path": "large.bin", "written_bytes": 5 })
    );
    assert_eq!(zone.good(&["get", "large.bin"]), "small");
    assert_eq!(home(&zone), ["./large.bin"]);
}

#[test]
fn what_the_user_may_not_write_is_refused_with_a_reason() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let file = zone.around().join("file");
    fs::write(&file, "x").expect("written");
    let file = file.to_str().expect("text");
    zone.good(&["put", file]);
    for (target, reason) in [
        ("/tmp/soke-of-a-test", "would vanish"),
        ("/etc/soke-of-a-test", "may not write"),
        ("/etc/passwd", "may not write"),
        ("missing/file", "there is no such file or folder"),
        (".", "not a regular file"),
        ("", "is empty"),
    ] {
        let said = zone.soke(&["put", file, target]);
        assert!(
            said.code != Some(0) && said.errors.contains(reason),
            "{target}: {}",
            said.errors
        );
    }
    // The zone's own folder is the zone's.
    let store = zone.data().join("put-by-a-test");
    let said = zone.soke(&["put", file, store.to_str().expect("text")]);
    assert!(said.code != Some(0), "{}", said.out);
    assert!(!store.exists());
    let said = zone.soke(&["put", "/no/such/file"]);
    assert!(
        said.code != Some(0) && said.errors.contains("/no/such/file"),
        "{}",
        said.errors
    );
    let said = zone.soke_with_input(&["put", "-"], "x");
    assert!(
        said.code != Some(0) && said.errors.contains("soke put FILE PATH"),
        "{}",
        said.errors
    );
    assert_eq!(home(&zone), ["./file"]);
}

#[test]
fn a_client_that_dies_in_the_middle_leaves_what_was_there() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    zone.soke_with_input(&["put", "-", "old"], "old");
    for target in ["old", "new"] {
        let mut client = zone.command();
        let client = client.args(["put", "-", target]).stdin(Stdio::piped());
        let mut client = client.stdout(Stdio::null()).spawn().expect("it starts");
        let mut input = client.stdin.take().expect("a pipe");
        // More than lies in all buffers on the way, so that some of it has arrived.
        input.write_all(&vec![7; 32 * MIB]).expect("taken");
        client.kill().expect("it runs");
        client.wait().expect("it is dead");
    }
    let settled = || (home(&zone) == ["./old"]).then_some(());
    eventually(LONG, "only the old file is there", settled);
    assert_eq!(zone.good(&["get", "old"]), "old");
}

/// Behind walls under the server's own uid, where only those let the user's process write in the home.
#[test]
fn without_root_too_a_file_is_put_whole_and_stays_in_the_home() {
    let zone = Zone::builder().unprivileged().start();
    zone.sign_in_owner();
    for content in ["first", "second"] {
        let said = zone.soke_with_input(&["put", "-", "file"], content);
        assert_eq!(said.code, Some(0), "{}", said.errors);
        assert_eq!(zone.good(&["get", "file"]), content);
    }
    let outside = zone.data().join("put-by-a-test");
    let said = zone.soke_with_input(&["put", "-", outside.to_str().expect("text")], "x");
    assert!(said.code != Some(0), "{}", said.out);
    assert!(!outside.exists());
    assert_eq!(home(&zone), ["./file"]);
}

#[test]
fn a_server_that_is_killed_in_the_middle_leaves_what_was_there() {
    let mut zone = Zone::builder().start();
    zone.sign_in_owner();
    zone.soke_with_input(&["put", "-", "old"], "old");
    let mut client = zone.command();
    let client = client.args(["put", "-", "old"]).stdin(Stdio::piped());
    let mut client = client
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut input = client.stdin.take().expect("a pipe");
    input.write_all(&vec![7; 32 * MIB]).expect("taken");
    zone.kill();
    drop(input);
    assert!(!client.wait().expect("it ends").success(), "the client is told");
    zone.start();
    let settled = || (home(&zone) == ["./old"]).then_some(());
    eventually(LONG, "only the old file is there", settled);
    assert_eq!(zone.good(&["get", "old"]), "old");
}
