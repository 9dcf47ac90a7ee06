//! Must hold 1: the first run tells its story in time and without a warning, and the second finds everything.

use std::time::Duration;

use crate::harness::Zone;

/// The promise: from the start of the binary to the last line of the story.
const STORY: Duration = Duration::from_secs(15);

#[test]
fn the_first_run_tells_its_story_in_15_seconds_and_the_second_finds_everything() {
    let mut zone = Zone::builder().argument("--story").prepare();
    zone.begin();
    zone.wait_until_ready(STORY);
    let out = zone.out();
    for fact in [
        "zone made ",
        "CA ",
        "signed in ",
        "job 1 queued ",
        "job 1 completed  exit code 0 ",
        "CPU ",
        "peak memory ",
        "output fetched ",
        "300 of 300 checksums are right",
        "  address ",
        "  sign in ",
        "  remove ",
        "  stop ",
    ] {
        assert!(out.contains(fact), "{fact:?} is not told:\n{out}\n{}", zone.log());
    }
    assert_eq!(zone.log(), "", "a good start logs nothing");
    zone.stop();
    assert_eq!(zone.log(), "", "a good stop logs nothing");

    zone.begin();
    zone.wait_until_ready(STORY);
    let again = zone.out();
    for fact in [
        "zone found ",
        "still signed in ",
        "jobs on record   1; the newest, first-run, is completed",
    ] {
        assert!(
            again.contains(fact),
            "{fact:?} is not told:\n{again}\n{}",
            zone.log()
        );
    }
    let id = |text: &str| {
        let line = text.lines().next().expect("a first line");
        line.split_whitespace().nth(2).expect("an id").to_owned()
    };
    assert_eq!(id(&out), id(&again), "the same zone");
    assert!(zone.good(&["jobs"]).contains("first-run"));
    let sums = zone.good(&["get", "first-run-sums.txt"]);
    assert_eq!(sums.lines().count(), 300);
    zone.stop();
    assert_eq!(zone.log(), "");
}

#[test]
fn the_link_of_the_first_run_signs_in_once() {
    let zone = Zone::builder().argument("--story").start();
    let code = zone.owner_code();
    zone.wire().sign_in(&code);
    let proof = wire::soke::v1::sign_in_request::Proof::LinkCode(code);
    let refused = zone.wire().try_sign_in(proof).expect_err("the code was used");
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
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
