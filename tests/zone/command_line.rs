//! The command line as a client: exit codes, interrupts, renewed sessions, and a zone that is known by a link alone.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command, thread};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{LONG, SOKE, Said, Zone, eventually, finished, run};

#[test]
fn run_passes_on_both_outputs_and_the_exit_code() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let said = zone.soke(&["run", "--", "sh", "-c", "echo out; echo err >&2; exit 9"]);
    assert_eq!(
        (said.code, said.out.as_str(), said.errors.as_str()),
        (Some(9), "out\n", "err\n")
    );
    let said = zone.soke(&["run", "--", "sh", "-c", "kill -TERM $$"]);
    assert_eq!(said.code, Some(128 + 15), "{said:?}");
    let said = zone.soke(&["run", "--time-limit", "1", "--", "sleep", "60"]);
    assert_ne!(said.code, Some(0), "{said:?}");
    let said = zone.soke(&["run", "--", "/no/such/program"]);
    assert_ne!(said.code, Some(0), "{said:?}");
    let listed = zone.good(&["jobs", "--json"]);
    let states: Vec<_> = listed
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["state"].clone())
        .collect();
    assert_eq!(states, ["failed", "timed-out", "failed", "failed"]);
}

#[test]
fn an_interrupted_run_cancels_its_job_and_says_so() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let errors = zone.around().join("errors");
    let mut command = zone.command();
    command
        .args(["run", "--", "sleep", "300"])
        .stderr(fs::File::create(&errors).expect("a file"));
    let mut child = command.spawn().expect("the command starts");
    eventually(LONG, "the job runs", || {
        zone.good(&["jobs"]).contains(" running ").then_some(())
    });
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("small")).expect("not zero");
    kill_process(pid, Signal::INT).expect("our child");
    let status = finished(&mut child, LONG).expect("it ends");
    assert_eq!(status.code(), Some(130));
    let said = fs::read_to_string(&errors).expect("a file");
    assert_eq!(said, "cancelling job 1\n");
    assert!(zone.good(&["jobs"]).contains(" cancelled "));
}

#[test]
fn logs_and_cancel_name_a_job_by_its_number() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let number = zone.good(&["run", "--detach", "--", "sh", "-c", "echo early; sleep 300"]);
    let number = number.trim();
    eventually(LONG, "the job runs", || {
        zone.good(&["jobs"]).contains(" running ").then_some(())
    });
    assert!(
        zone.good(&["cancel", number])
            .starts_with(&format!("job {number} is "))
    );
    assert_eq!(zone.good(&["logs", number]), "early\n");
    for (arguments, code) in [
        (&["logs", "4000000"][..], 66),
        (&["cancel", number], 73),
        (&["logs", "x"], 64),
    ] {
        let said = zone.soke(arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {said:?}");
    }
}

#[test]
fn commands_that_renew_one_session_at_once_all_go_on() {
    // A token of 2 seconds is always about to end: every command renews.
    let zone = Zone::builder()
        .config("[access]\naccess_token_secs = 2\n")
        .start();
    zone.sign_in_owner();
    for _round in 0..3 {
        let said: Vec<Said> = thread::scope(|scope| {
            let started: Vec<_> = (0..5).map(|_| scope.spawn(|| zone.soke(&["whoami"]))).collect();
            started
                .into_iter()
                .map(|one| one.join().expect("it ends"))
                .collect()
        });
        for said in said {
            assert_eq!(
                (said.code, said.out.as_str()),
                (Some(0), "keeper (owner)\n"),
                "{said:?}"
            );
        }
    }
}

#[test]
fn a_link_alone_is_enough_to_sign_in_from_elsewhere() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let made = zone.good(&["user", "add", "ada"]);
    let link = made
        .lines()
        .find(|line| line.starts_with("http"))
        .expect("a link");
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let command = |arguments: &[&str], input: &str| {
        let mut command = Command::new(SOKE);
        command
            .env_clear()
            .env("HOME", elsewhere.path())
            .current_dir(elsewhere.path())
            .args(arguments);
        run(command, input, LONG)
    };
    let said = command(&["whoami"], "");
    assert_eq!(said.code, Some(69), "no zone is known yet: {said:?}");
    // The link names the zone's CA: with another fingerprint the server is not believed.
    let (before, fingerprint) = link.split_once("&ca=").expect("a fingerprint");
    let other: String = fingerprint.chars().rev().collect();
    let said = command(&["sign-in"], &format!("{before}&ca={other}\n"));
    assert_eq!(said.code, Some(69), "{said:?}");
    let said = command(&["sign-in"], &format!("{link}\n"));
    assert_eq!(said.code, Some(0), "{said:?}");
    let file = elsewhere.path().join(".config/soke/session.json");
    let mode = fs::metadata(&file).expect("the session").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(command(&["whoami"], "").out, "ada (member)\n");
    assert_eq!(command(&["run", "--", "echo", "hello"], "").out, "hello\n");
    let said = command(&["user", "list"], "");
    assert_eq!(said.code, Some(77), "{said:?}");
    assert_eq!(command(&["sign-out"], "").code, Some(0));
    assert!(!file.exists());
}

#[test]
fn the_password_is_asked_for_and_never_an_argument() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let set = zone.soke_with_input(&["password"], "\na long password indeed\n");
    assert_eq!(set.code, Some(0), "{set:?}");
    zone.good(&["sign-out"]);
    let said = zone.soke(&["whoami"]);
    assert_eq!(
        (said.code, said.errors.contains("cure: soke sign-in")),
        (Some(77), true),
        "{said:?}"
    );
    let wrong = zone.soke_with_input(&["sign-in", "--user", "keeper"], "not the password\n");
    assert_eq!(wrong.code, Some(77), "{wrong:?}");
    let right = zone.soke_with_input(&["sign-in", "--user", "keeper"], "a long password indeed\n");
    assert_eq!(right.code, Some(0), "{right:?}");
}

#[test]
fn a_listener_for_everybody_is_shown_under_its_name_and_found_over_loopback() {
    let config = "[native]\nlisten = \"0.0.0.0:0\"\nhosts = [\"192.0.2.7\"]\n";
    let zone = Zone::builder().config(config).listen_as_configured().start();
    assert!(
        zone.out().contains("  address   https://192.0.2.7:"),
        "{}",
        zone.out()
    );
    zone.sign_in_owner();
    assert_eq!(zone.good(&["run", "--", "echo", "hello"]), "hello\n");
    // What others are told leads to where others find it.
    assert!(zone.good(&["token"]).contains("soke join 192.0.2.7:"));
    assert!(zone.good(&["user", "add", "ada"]).contains("//192.0.2.7:"));
}
