//! O02 and the rest of O04: a data folder that this binary must not open is refused in one clear line, and stays
//! as it was.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use crate::harness::{LONG, Zone, run};

/// A zone that was up once, and its id.
fn stopped_zone() -> (Zone, String) {
    let mut zone = Zone::builder().start();
    zone.sign_in_owner();
    let id = id(&zone);
    zone.stop();
    (zone, id)
}

fn id(zone: &Zone) -> String {
    let out = zone.out();
    out.split_whitespace().nth(2).expect("an id").to_owned()
}

/// Starts the zone, which must be refused with one line that holds all of these words.
#[track_caller]
fn refused(zone: &Zone, words: &[&str]) {
    let said = zone.soke(&["up", "--listen", "127.0.0.1:0"]);
    assert!(said.code.is_some_and(|code| code != 0), "{said:?}");
    let lines: Vec<_> = said
        .errors
        .lines()
        .filter(|line| line.starts_with("soke: "))
        .collect();
    assert_eq!(lines.len(), 1, "{said:?}");
    for word in words {
        assert!(lines[0].contains(word), "{word:?} is not said: {said:?}");
    }
}

/// Runs a statement on the zone's database from outside.
fn sql(zone: &Zone, statement: &str) {
    let mut command = Command::new("python3");
    command
        .args([
            "-c",
            "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute(sys.argv[2])\nc.commit()",
        ])
        .arg(zone.data().join("store/zone.db"))
        .arg(statement);
    let said = run(command, "", LONG);
    assert_eq!(said.code, Some(0), "{said:?}");
}

#[track_caller]
fn starts_as_before(mut zone: Zone, known: &str) {
    zone.start();
    assert_eq!(id(&zone), known);
    zone.good(&["whoami"]);
}

#[test]
fn o02_a_database_of_a_newer_release_is_refused_and_left_as_it_is() {
    let (zone, known) = stopped_zone();
    sql(
        &zone,
        "INSERT INTO migrations VALUES ('jobs', 999, 'from the future', 0)",
    );
    refused(&zone, &["`jobs`", "999", "newer release", "restore"]);
    sql(&zone, "DELETE FROM migrations WHERE number = 999");
    starts_as_before(zone, &known);
}

#[test]
fn o04_a_seal_key_that_is_missing_or_open_to_others_is_refused_with_the_cure() {
    let (zone, known) = stopped_zone();
    let (key, aside) = (zone.data().join("keys/seal.key"), zone.data().join("aside"));
    fs::rename(&key, &aside).expect("the key is put aside");
    refused(&zone, &["seal.key", "missing", "backup"]);
    fs::rename(&aside, &key).expect("the key is put back");
    let mode = |mode| fs::set_permissions(&key, fs::Permissions::from_mode(mode)).expect("our file");
    mode(0o644);
    refused(&zone, &["seal.key", "0644", "chmod 600"]);
    mode(0o600);
    starts_as_before(zone, &known);
}

#[test]
fn o04_few_open_files_are_enough_or_it_is_said() {
    let zone = Zone::builder().prepare();
    let mut command = Command::new("bash");
    let soke = zone.command();
    command
        .args(["-c", "ulimit -n 11; exec \"$0\" \"$@\""])
        .arg(soke.get_program())
        .args(soke.get_args())
        .args(["up", "--listen", "127.0.0.1:0"]);
    let said = run(command, "", LONG);
    assert!(said.code.is_some_and(|code| code != 0), "{said:?}");
    assert!(said.errors.contains("Too many open files"), "{said:?}");
}
