//! A machine that joins a zone from another process: seen there, used up its token, put out.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{LONG, SOKE, Zone, eventually, finished, run};

/// A command of the binary on another machine: one with a data folder of its own.
fn elsewhere(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(SOKE);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", folder)
        .arg("--data")
        .arg(folder)
        .args(arguments);
    command
}

fn begin(folder: &Path, arguments: &[&str], token: &str) -> Child {
    let mut command = elsewhere(folder, arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(File::create(folder.with_extension("log")).expect("a file"));
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    writeln!(stdin, "{token}").expect("it listens");
    child
}

fn end(mut child: Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("small")).expect("not zero");
    kill_process(pid, Signal::TERM).expect("our child");
    let status = finished(&mut child, LONG).expect("it ends");
    assert_eq!(status.code(), Some(0), "{status:?}");
}

/// Server and token out of what `soke token` prints.
fn invitation(zone: &Zone) -> (String, String) {
    let said = zone.good(&["token"]);
    let line = said.lines().last().expect("a line").to_owned();
    let mut words = line.strip_prefix("soke join ").expect("the command").split(' ');
    let (server, token) = (words.next().expect("a server"), words.next().expect("a token"));
    (server.to_owned(), token.to_owned())
}

fn is_listed(zone: &Zone, name: &str, state: &str) -> bool {
    let listed = zone.good(&["nodes"]);
    let mut words = listed.lines().map(str::split_whitespace);
    words.any(|mut words| words.next() == Some(name) && words.next() == Some(state))
}

#[test]
fn a_machine_joins_is_seen_comes_back_and_is_put_out() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let (server, token) = invitation(&zone);
    let far = zone.around().join("far");
    let machine = begin(&far, &["join", &server, "--name", "far"], &token);
    let live = || is_listed(&zone, "far", "live").then_some(());
    eventually(LONG, "the node is live", live);
    end(machine);
    // The token is used up, and the machine needs none any more.
    let other = zone.around().join("other");
    let refused = run(
        elsewhere(&other, &["join", &server, "--name", "other"]),
        &token,
        LONG,
    );
    assert_eq!(refused.code, Some(77), "{refused:?}");
    assert!(refused.errors.contains("token used"), "{refused:?}");
    let again = begin(&far, &["join"], "");
    eventually(LONG, "the node is live again", live);
    zone.good(&["nodes", "remove", "far"]);
    assert!(!zone.good(&["nodes"]).contains("far"));
    end(again);
    assert!(zone.good(&["token", "list"]).contains("1 of 1 used"));
}

#[test]
fn who_is_not_signed_in_makes_no_tokens_and_sees_no_nodes() {
    let zone = Zone::builder().start();
    for arguments in [
        &["token"][..],
        &["nodes"],
        &["nodes", "remove", "x"],
        &["token", "list"],
    ] {
        let said = zone.soke(arguments);
        assert_eq!(said.code, Some(77), "{arguments:?}: {said:?}");
    }
}
