//! A machine that joins a zone from another process: seen there, used up its token, put out.

use std::fs;

use serde_json::Value;

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

#[test]
fn tokens_and_nodes_are_told_as_json_to_programs() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let object = |arguments: &[&str]| -> Value {
        let text = zone.good(arguments);
        serde_json::from_str(&text).unwrap_or_else(|fault| panic!("{arguments:?}: {fault}: {text}"))
    };
    let made = object(&["token", "--name", "far", "--minutes", "5", "--json"]);
    assert_eq!(
        (&made["node_name"], &made["uses"], &made["used"]),
        (&"far".into(), &1.into(), &0.into())
    );
    let text = made["text"].as_str().expect("the token itself");
    assert!(text.len() > 20, "{made}");
    let server = made["server"].as_str().expect("where to join");
    server.parse::<std::net::SocketAddr>().expect("an address");
    for at in ["made_at", "ends_at"] {
        let at = made[at].as_str().expect("an instant");
        assert!(at.ends_with('Z'), "{made}");
    }
    // The list tells all but the token.
    let listed = object(&["token", "list", "--json"]);
    assert_eq!(listed["join_token_id"], made["join_token_id"]);
    assert!(listed["good"] == true && listed.get("text").is_none(), "{listed}");
    let id = made["join_token_id"].as_str().expect("an id");
    let revoked = object(&["token", "revoke", id, "--json"]);
    assert_eq!(revoked, serde_json::json!({"join_token_id": id, "revoked": true}));
    assert_eq!(object(&["token", "list", "--json"])["good"], false);

    let node = object(&["nodes", "--json"]);
    assert_eq!(node["state"], "live", "{node}");
    for field in ["cores", "memory_bytes"] {
        assert!(node[field].as_u64().is_some_and(|value| value > 0), "{node}");
    }
    let invitation = zone.invite();
    let mut far = zone.far("far");
    far.join(&invitation);
    zone.until_node("far", "live");
    let all = zone.good(&["nodes", "--json"]);
    let names: Vec<Value> = all
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["name"].clone())
        .collect();
    assert!(names.len() == 2 && names.contains(&"far".into()), "{all}");
    let removed = object(&["nodes", "remove", "far", "--json"]);
    assert_eq!(removed, serde_json::json!({"name": "far", "removed": true}));
    far.stop();
}
