//! The same zone on PostgreSQL: nothing but the configuration says where its rows lie.

use testbed::Postgres;
use wire::soke::v1::{JobState, Stream};

use crate::harness::Zone;

#[test]
fn a_zone_on_postgresql_tells_the_same_story_and_survives_a_kill() {
    let url = Postgres::shared().database().expect("a database");
    let config = format!("[store]\nengine = \"postgresql\"\nurl = \"{url}\"\n");
    let mut zone = Zone::builder().config(&config).argument("--story").start();
    for fact in ["store postgresql, CA ", "300 of 300 checksums are right"] {
        assert!(
            zone.out().contains(fact),
            "{fact:?} is not told:\n{}\n{}",
            zone.out(),
            zone.log()
        );
    }
    assert_eq!(zone.log(), "", "a good start logs nothing");
    let owner = zone.wire().sign_in(&zone.owner_code()).access_token;
    let number = zone.wire().submit(&owner, "echo before the kill");
    zone.kill();
    zone.start();
    let wire = zone.wire();
    wire.job_until(&owner, number, JobState::Completed);
    assert_eq!(wire.output(&owner, number, Stream::Stdout), "before the kill\n");
    assert!(zone.out().contains("still signed in"), "{}", zone.out());
    assert!(
        !zone.good(&["config", "show"]).contains("not-asked-for"),
        "the URL is a secret"
    );
    zone.stop();
}
