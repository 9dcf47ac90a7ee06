//! The first run tells its story in time and without a warning, the second finds everything, and one command takes all of
//! it away.

use std::{fs, time::Duration};

use crate::harness::{LONG, Zone, eventually};

/// The promise: from the start of the binary to the last line of the story.
const STORY: Duration = Duration::from_secs(30);

/// What the first start tells, in this order.
const FIRST: [&str; 14] = [
    "zone made ",
    "CA ",
    "signed in        keeper (owner), by one-time code",
    "signed in        ada by password, key and wallet: one user, ",
    "machine joined   second, 10.77.0.3, ",
    "account lab      100.0000 paid in for ada; an hour of a core costs 1.0000\n",
    "job 1 completed  exit code 0 on second: CPU ",
    "peak memory ",
    "output fetched ",
    "300 of 300 checksums are right",
    "charged          0.0100 of 0.0",
    " held; balance 99.9900; the ledger sums to 0\n",
    "service hello ",
    " says \"hello ada, this is second\"; refused without a session",
];
/// And what is to be done next.
const NEXT: [&str; 6] = [
    "  address ",
    "  sign in ",
    "  try ",
    "  add ",
    "  remove ",
    "  stop ",
];
/// What a later start tells.
const LATER: [&str; 6] = [
    "zone found ",
    "still signed in  keeper (owner), ada\n",
    "second live",
    "jobs on record   1; the newest, first-run, is completed\n",
    "account lab      balance 99.9900; the ledger sums to 0\n",
    "services         hello ready on second\n",
];

/// Tells whether a text holds all of these, each after the one before.
fn tells(text: &str, facts: &[&str]) -> Result<(), String> {
    let mut rest = text;
    for fact in facts {
        let Some((_before, after)) = rest.split_once(fact) else {
            return Err(format!("{fact:?} is not told, or not there:\n{text}"));
        };
        rest = after;
    }
    Ok(())
}

fn told(zone: &Zone, facts: &[&str]) {
    tells(&zone.out(), facts).unwrap_or_else(|fault| panic!("{fault}\n{}", zone.log()));
}

/// The whole of it, on one sort of machine.
fn the_story_of(zone: &mut Zone) {
    zone.begin();
    zone.wait_until_ready(STORY);
    told(zone, &FIRST);
    told(zone, &NEXT);
    assert_eq!(zone.log(), "", "a good start logs nothing");
    let first = zone.out();
    zone.stop();
    assert_eq!(zone.log(), "", "a good stop logs nothing");

    for is_killed in [false, true] {
        zone.begin();
        zone.wait_until_ready(STORY);
        told(zone, &LATER);
        assert_eq!(zone.log(), "", "a later start logs nothing");
        if is_killed {
            zone.kill();
        } else {
            zone.stop();
        }
    }
    zone.begin();
    zone.wait_until_ready(STORY);
    told(zone, &LATER);
    assert_eq!(zone.log(), "", "nor does one after a kill");
    let id = |text: &str| {
        let line = text.lines().next().expect("a first line");
        line.split_whitespace().nth(2).expect("an id").to_owned()
    };
    assert_eq!(id(&first), id(&zone.out()), "the same zone");
    assert_eq!(zone.good(&["logs", "1"]).lines().count(), 300);
    let said = zone.good(&[
        "run",
        "--node",
        "second",
        "--",
        "sh",
        "-c",
        "echo on $SOKE_JOB_NODE",
    ]);
    assert_eq!(said, "on second\n", "it works on");
}

#[test]
fn the_first_run_tells_its_story_in_time_and_later_ones_find_everything_until_it_is_removed() {
    the_story_and_its_end(&mut Zone::builder().argument("--story").prepare());
}

#[test]
fn the_same_without_root() {
    the_story_and_its_end(&mut Zone::builder().argument("--story").unprivileged().prepare());
}

fn the_story_and_its_end(zone: &mut Zone) {
    the_story_of(zone);
    let refused = zone.soke(&["remove"]);
    assert_eq!(refused.code, Some(64), "{refused:?}");
    assert!(refused.errors.contains("--yes"), "{refused:?}");
    zone.good(&["whoami"]);
    let stages = zone.stages();
    assert!(!stages.is_empty(), "the service runs");
    assert_eq!(zone.good(&["remove", "--yes"]), "removed\n");
    assert_eq!(zone.ended(LONG).code(), Some(0));
    assert!(!zone.data().exists(), "nothing is left");
    eventually(LONG, "nothing runs any more", || {
        let gone = |pid: &u32| !fs::exists(format!("/proc/{pid}")).unwrap_or(true);
        stages.iter().all(gone).then_some(())
    });
    let again = zone.soke(&["remove", "--yes"]);
    assert_eq!(again.code, Some(66), "{again:?}");
}

#[test]
fn a_second_machine_that_was_put_out_stays_out() {
    let mut zone = Zone::builder().argument("--story").start();
    zone.good(&["nodes", "remove", "second"]);
    zone.stop();
    zone.start();
    assert!(zone.out().contains("still signed in"), "{}", zone.out());
    assert!(!zone.out().contains("second live"), "{}", zone.out());
    assert_eq!(zone.log(), "", "and nobody wonders");
}

#[test]
fn the_link_of_the_first_run_signs_in_once() {
    let zone = Zone::builder().argument("--story").start();
    let code = zone.owner_code();
    zone.wire().sign_in(&code);
    let proof = wire::soke::v1::sign_in_request::Proof::LinkCode(code);
    let refused = zone.wire().try_sign_in(proof).expect_err("the code was used");
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    // The proofs of the story's person are for whoever may read the folder.
    let path = zone.data().join("client/ada.json");
    let proofs: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600);
    let password = proofs["password"].as_str().expect("a text");
    let said = zone.soke_with_input(&["sign-in", "--user", "ada"], password);
    assert_eq!(said.out, "signed in as ada (member)\n", "{said:?}");
}

#[test]
fn a_plain_start_gives_a_link_for_as_long_as_the_owner_has_not_signed_in() {
    let mut zone = Zone::builder().start();
    zone.stop();
    zone.start();
    assert!(zone.out().contains("zone found"), "{}", zone.out());
    zone.sign_in_owner();
    assert!(zone.good(&["whoami"]).contains("owner"));
    zone.stop();
    zone.start();
    assert!(!zone.out().contains("#code="), "{}", zone.out());
    assert!(zone.out().contains("still signed in"), "{}", zone.out());
}
