//! A machine that joins a zone from another process: seen there, used up its token, put out.

use std::fs;

use crate::harness::{LONG, Zone, eventually, run};

#[test]
fn a_machine_joins_is_seen_comes_back_and_is_put_out() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let invitation = zone.invite();
    let mut far = zone.far("far");
    far.join(&invitation);
    zone.until_node("far", "live");
    far.stop();
    // The token is used up, and the machine needs none any more.
    let other = zone.far("other");
    let join = ["join", &invitation.server, "--name", "other"];
    let refused = run(other.command(&join), &invitation.token, LONG);
    assert_eq!(refused.code, Some(77), "{refused:?}");
    assert!(refused.errors.contains("token used"), "{refused:?}");
    far.start();
    zone.until_node("far", "live");
    zone.good(&["nodes", "remove", "far"]);
    assert!(!zone.has_node("far", "live") && !zone.has_node("far", "away"));
    far.stop();
    assert!(zone.good(&["token", "list"]).contains("1 of 1 used"));
}

#[test]
fn j16_a_token_that_others_can_see_is_refused_and_not_used() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let invitation = zone.invite();
    let mut far = zone.far("far");
    let (server, token) = (invitation.server.as_str(), invitation.token.as_str());
    let seen = run(far.command(&["join", server, token, "--name", "far"]), "", LONG);
    assert_eq!(seen.code, Some(64), "{seen:?}");
    assert!(
        seen.errors.contains("command line") && seen.errors.contains("--token-file"),
        "{seen:?}"
    );
    let file = zone.around().join("token");
    fs::write(&file, token).expect("written");
    let path = file.to_str().expect("a path in UTF-8");
    let open = run(
        far.command(&["join", server, "--token-file", path, "--name", "far"]),
        "",
        LONG,
    );
    assert_eq!(open.code, Some(64), "{open:?}");
    assert!(open.errors.contains("chmod 600"), "{open:?}");
    for said in [&seen, &open] {
        assert!(!said.errors.contains(token), "{said:?}");
    }
    assert!(zone.good(&["token", "list"]).contains("0 of 1 used"));
    far.join(&invitation);
    zone.until_node("far", "live");
    let used = || {
        zone.good(&["token", "list"])
            .contains("1 of 1 used")
            .then_some(())
    };
    eventually(LONG, "the token is used", used);
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
