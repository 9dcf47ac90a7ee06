//! system_config: the golden exchanges of the contract on kRPC (section 9) and the texts of the one on
//! system_config (sections 2, 3 and 10).

use krpc::Request;
use serde_json::{Value, json};

use crate::bed::{BEGIN, Bed, Connection, Key, claims, error, result};

/// The bytes of a reply, sequence number 7.
async fn bytes(bed: &Bed, token: &str, method: &str, params: Value) -> String {
    let body = Request::new(method, params, 7).with_token(token).to_body();
    let body = String::from_utf8(body).expect("text");
    let mut connection = Connection::open(bed.system_config()).await;
    connection.post("/kapi/system_config", &body).await.body
}

#[tokio::test(flavor = "multi_thread")]
async fn golden_shapes_of_the_calls_on_the_tree() {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    let call = async |method: &str, params: Value| bytes(&bed, &owner.token, method, params).await;
    let key = || json!({"key": "test/a"});
    let with = |value: &str| json!({"key": "test/a", "value": value});
    let steps = [
        ("sys_config_get", key(), r#"{"result":null,"sys":[7]}"#),
        (
            "sys_config_create",
            with("1"),
            r#"{"result":null,"sys":[7],"revision":1}"#,
        ),
        (
            "sys_config_get",
            key(),
            r#"{"result":{"value":"1","version":1},"sys":[7]}"#,
        ),
        (
            "sys_config_set",
            with("{\"x\":2}"),
            r#"{"result":null,"sys":[7],"revision":2}"#,
        ),
        (
            "sys_config_get",
            key(),
            r#"{"result":{"value":"{\"x\":2}","version":2},"sys":[7]}"#,
        ),
        (
            "sys_config_append",
            json!({"key": "test/a", "append_value": "!"}),
            r#"{"result":null,"sys":[7],"revision":3}"#,
        ),
        (
            "sys_config_list",
            json!({"key": "test"}),
            r#"{"result":["a"],"sys":[7]}"#,
        ),
        (
            "sys_config_list",
            json!({"key": "/test/"}),
            r#"{"result":["a"],"sys":[7]}"#,
        ),
        (
            "sys_config_list",
            json!({"key": "nowhere"}),
            r#"{"result":[],"sys":[7]}"#,
        ),
        (
            "sys_config_list",
            json!({"key": ""}),
            r#"{"result":["test"],"sys":[7]}"#,
        ),
        (
            "sys_config_delete",
            key(),
            r#"{"result":null,"sys":[7],"revision":4}"#,
        ),
        ("sys_config_get", key(), r#"{"result":null,"sys":[7]}"#),
        (
            "sys_config_create",
            with(""),
            r#"{"result":null,"sys":[7],"revision":5}"#,
        ),
        (
            "sys_refresh_trust_keys",
            json!({}),
            r#"{"result":null,"sys":[7]}"#,
        ),
    ];
    for (method, params, wanted) in steps {
        assert_eq!(call(method, params.clone()).await, wanted, "{method} {params}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table of cases, one after another")]
async fn texts_of_system_config_are_those_of_the_contract() {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    let ada = bed.user(&owner, "ada", "member").await;
    let own = json!({"key": "users/ada/profile", "value": "x"});
    result(&bed.config(&ada.token, "sys_config_set", own).await);
    let there = json!({"key": "test/there", "value": "x"});
    result(&bed.config(&owner.token, "sys_config_set", there).await);
    // Caller, method, parameters, text.
    let table = [
        (
            &owner,
            "sys_config_get",
            json!({}),
            "Failed due to reason: Missing key",
        ),
        (
            &owner,
            "sys_config_get",
            json!({"key": ""}),
            "Failed due to reason: Missing key",
        ),
        (
            &owner,
            "sys_config_get",
            json!({"key": "/"}),
            "Failed due to reason: Missing key",
        ),
        (
            &owner,
            "sys_config_get",
            json!({"key": 5}),
            "Parse Request Error: `key` is a number, want a text",
        ),
        (
            &owner,
            "sys_config_get",
            json!(null),
            "Parse Request Error: Expected object params for sys_config_get",
        ),
        (
            &owner,
            "sys_config_set",
            json!({"key": "a"}),
            "Failed due to reason: Missing value",
        ),
        (
            &owner,
            "sys_config_set",
            json!({"key": "a", "value": {}}),
            "Parse Request Error: `value` is an object, want a text",
        ),
        (
            &owner,
            "sys_config_create",
            json!({"key": "test/there", "value": "y"}),
            "Failed due to reason: key exist : test/there",
        ),
        (
            &owner,
            "sys_config_delete",
            json!({"key": "test/gone"}),
            "Failed due to reason: key not found : test/gone",
        ),
        (
            &owner,
            "sys_config_append",
            json!({"key": "test/gone", "append_value": "y"}),
            "Key not exist: test/gone",
        ),
        (
            &owner,
            "sys_config_get",
            json!({"key": "__meta/revision/a"}),
            "Failed due to reason: internal metadata key is reserved",
        ),
        (
            &owner,
            "sys_config_set",
            json!({"key": "t/../__meta/revision/t/j", "value": "9"}),
            "Failed due to reason: internal metadata key is reserved",
        ),
        (
            &owner,
            "sys_config_list",
            json!({"key": "\\__meta"}),
            "Failed due to reason: internal metadata key is reserved",
        ),
        (
            &owner,
            "sys_config_get",
            json!({"key": "obj://task/ada"}),
            "Parse Request Error: `key`: its scheme is none of `kv://` and `obj://config/`",
        ),
        (
            &owner,
            "sys_config_set",
            json!({"key": "a", "value": "\u{0}"}),
            "Parse Request Error: `value` holds the character NUL, want text without it",
        ),
        (
            &owner,
            "dump_configs_for_scheduler",
            json!({}),
            "Unknown method: dump_configs_for_scheduler",
        ),
        (
            &owner,
            "SYS_CONFIG_GET",
            json!({}),
            "Unknown method: SYS_CONFIG_GET",
        ),
        (&owner, "", json!({}), "Unknown method: "),
        (
            &ada,
            "sys_config_get",
            json!({"key": "test/there"}),
            "No permission:No read permission",
        ),
        (
            &ada,
            "sys_config_get",
            json!({"key": "test/gone"}),
            "No permission:No read permission",
        ),
        (
            &ada,
            "sys_config_list",
            json!({"key": ""}),
            "No permission:No read permission",
        ),
        (
            &ada,
            "sys_config_set",
            json!({"key": "kv://boot/config", "value": "y"}),
            "No permission:No write permission for key: boot/config",
        ),
        (
            &ada,
            "sys_config_create",
            json!({"key": "users/bob/x", "value": "y"}),
            "No permission:No write permission for key: users/bob/x",
        ),
        (
            &ada,
            "sys_config_delete",
            json!({"key": "test/there"}),
            "No permission:No write permission for key: test/there",
        ),
        (
            &ada,
            "sys_config_append",
            json!({"key": "test/there", "append_value": "y"}),
            "No permission:No write permission for key: test/there",
        ),
        (
            &ada,
            "sys_config_set",
            json!({"key": "users/ada/settings", "value": "y"}),
            "No permission:No write permission for key: users/ada/settings",
        ),
    ];
    for (caller, method, params, wanted) in table {
        let reply = bed.config(&caller.token, method, params.clone()).await;
        assert_eq!(error(&reply), wanted, "{method} {params}");
    }
    let long = "x".repeat(300_000);
    let unknown = bed.config(&owner.token, &long, json!({})).await;
    assert_eq!(error(&unknown).len(), "Unknown method: ".len() + 128);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_spelling_of_a_key_reaches_one_value() {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    let set = json!({"key": "kv://boot/config", "value": "{}"});
    result(&bed.config(&owner.token, "sys_config_set", set).await);
    for key in [
        "boot/config",
        "/boot/config",
        "\\boot\\config",
        "/config/boot/config",
        "obj://config/boot/config",
    ] {
        let reply = bed
            .config(&owner.token, "sys_config_get", json!({"key": key}))
            .await;
        assert_eq!(result(&reply), &json!({"value": "{}", "version": 1}), "{key}");
    }
}

/// Section 10 of the contract on system_config: what the program answers, and what Soke does. The document says of
/// tokens only that the signer has to be known and the signature good.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table of cases, one after another")]
async fn tokens_at_system_config_by_document_program_and_soke() {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    let (own, stranger) = (Key::fresh(), Key::fresh());
    bed.add_key(&owner, &own).await;
    let kid = |kid: &str| json!({"alg": "EdDSA", "kid": kid});
    let without = |claim: &str| {
        let mut claims = claims("root", "j");
        claims.as_object_mut().expect("an object").remove(claim);
        claims
    };
    let ended = |secs: i64| {
        let mut claims = claims("root", "j");
        claims["exp"] = json!(BEGIN - secs);
        claims
    };
    let signature = "Invalid token: JWT decode error:InvalidSignature";
    let over = "Invalid token: JWT decode error:ExpiredSignature";
    let forms = "Failed due to reason: JWT decode header error";
    let (accepted, refused) = ("accepted", "refused");
    let mut audience = claims("root", "j");
    audience["aud"] = json!("verify-hub");
    let mut text_end = claims("root", "j");
    text_end["exp"] = json!("soon");
    // Token, document, program, Soke.
    let table = [
        (owner.token.clone(), accepted, accepted, accepted),
        // Nobody's own signature is a session: it is exchanged at verify-hub, which looks who may speak for whom.
        (
            own.sign(&kid("root"), &claims("root", "j")),
            accepted,
            accepted,
            signature,
        ),
        (
            own.sign(&json!({"alg": "EdDSA"}), &claims("root", "j")),
            accepted,
            accepted,
            signature,
        ),
        (
            own.sign(&kid("keeper"), &claims("keeper", "j")),
            accepted,
            accepted,
            signature,
        ),
        (
            stranger.sign(&kid("root"), &claims("root", "j")),
            refused,
            signature,
            signature,
        ),
        (
            own.sign(&kid("root"), &without("appid")),
            accepted,
            accepted,
            "Parse Request Error: Missing appid",
        ),
        (
            own.sign(&kid("root"), &without("sub")),
            refused,
            "Invalid token: Missing sub",
            "Invalid token: Missing sub",
        ),
        (own.sign(&kid("root"), &ended(30)), refused, accepted, over),
        (own.sign(&kid("root"), &ended(90)), refused, over, over),
        (
            own.sign(&kid("root"), &without("exp")),
            refused,
            "Invalid token: JWT decode error:Missing required claim: exp",
            "Invalid token: JWT decode error:Missing required claim: exp",
        ),
        (
            own.sign(&kid("root"), &text_end),
            refused,
            refused,
            "Failed due to reason: Failed to decode session token: wrong types",
        ),
        (
            owner.refresh.clone(),
            refused,
            accepted,
            "Invalid token: JWT decode error:InvalidAudience",
        ),
        (
            own.sign(&kid("root"), &audience),
            refused,
            accepted,
            "Invalid token: JWT decode error:InvalidAudience",
        ),
        ("garbage".to_owned(), refused, forms, forms),
        (
            r#"{"userid":"root","appid":"kernel"}"#.to_owned(),
            refused,
            forms,
            forms,
        ),
        (
            String::new(),
            "No permission:No session token",
            "No permission:No session token",
            "No permission:No session token",
        ),
    ];
    for (place, (token, document, program, soke)) in table.iter().enumerate() {
        let reply = bed
            .config(token, "sys_config_get", json!({"key": "boot/config"}))
            .await;
        let answer = reply
            .get("error")
            .map_or(accepted, |text| text.as_str().expect("a text"));
        assert_eq!(
            answer, *soke,
            "row {place}: document {document}, program {program}"
        );
    }
    let bare = Request::new("no_such_method", json!({}), 1);
    let reply = bed.send("system_config", &bare).await;
    assert_eq!(error(&reply), "No permission:No session token");
}

#[tokio::test(flavor = "multi_thread")]
async fn golden_shapes_of_json_paths_and_transactions() {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    let call = async |method: &str, params: Value| bytes(&bed, &owner.token, method, params).await;
    let done = |revision: &str| format!(r#"{{"result":null,"sys":[7]{revision}}}"#);
    let set = json!({"key": "t/j", "value": r#"{"a":{"b":1}}"#});
    assert_eq!(call("sys_config_set", set).await, done(r#","revision":1"#));
    let part = json!({"key": "t/j", "json_path": "/a/c", "value": "[2]"});
    assert_eq!(
        call("sys_config_set_by_json_path", part).await,
        done(r#","revision":2"#)
    );
    let tx = json!({
        "actions": {
            "t/new": {"action": "create", "value": "n"},
            "kv://t/j": {"action": "set_by_path", "all_set": {"a/b": null, "/x": 5}},
            "t/more": {"action": "update", "value": "u"},
            "t/gone": {"action": "remove"},
        },
        "main_key": "t/main:0",
    });
    assert_eq!(
        call("sys_config_exec_tx", tx.clone()).await,
        done(r#","revision":1"#)
    );
    let again = call("sys_config_exec_tx", tx).await;
    assert!(
        again.contains("revision mismatch for key t/main: expected 0, actual 1"),
        "{again}"
    );
    let tx = json!({
        "actions": {"t/more": {"action": "append", "value": "!"}, "t/new": {"action": "remove"}},
        "main_key": {"key": "t/more", "revision": 1},
    });
    assert_eq!(call("sys_config_exec_tx", tx).await, done(r#","revision":2"#));
    for (key, wanted) in [
        ("t/j", r#"{"value":"{\"a\":{\"c\":[2]},\"x\":5}","version":3}"#),
        ("t/more", r#"{"value":"u!","version":2}"#),
        ("t/new", "null"),
        ("t/gone", "null"),
        ("t/main", "null"),
    ] {
        let got = call("sys_config_get", json!({"key": key})).await;
        assert_eq!(got, format!(r#"{{"result":{wanted},"sys":[7]}}"#), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table of cases, one after another")]
async fn a_transaction_that_fails_writes_nothing() {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    let ada = bed.user(&owner, "ada", "member").await;
    for (key, value) in [("t/j", "{\"a\":1}"), ("t/text", "no json")] {
        let set = json!({"key": key, "value": value});
        result(&bed.config(&owner.token, "sys_config_set", set).await);
    }
    let with = |key: &str, action: Value| json!({"actions": {"t/first": {"action": "update", "value": "x"}, key: action}});
    let tx = "sys_config_exec_tx";
    let part = "sys_config_set_by_json_path";
    let many: serde_json::Map<String, Value> = (0..257)
        .map(|key| (format!("t/{key}"), json!({"action": "remove"})))
        .collect();
    let table = [
        (
            &owner,
            tx,
            with("t/j", json!({"action": "create", "value": "y"})),
            "Failed due to reason: key exist : t/j",
        ),
        (
            &owner,
            tx,
            with("t/no", json!({"action": "append", "value": "y"})),
            "Failed due to reason: key not found : t/no",
        ),
        (
            &owner,
            tx,
            with("t/no", json!({"action": "set_by_path", "all_set": {}})),
            "Failed due to reason: key not found : t/no",
        ),
        (
            &owner,
            tx,
            with("t/text", json!({"action": "set_by_path", "all_set": {"a": 1}})),
            "Failed due to reason: internal error : the value of t/text is no JSON",
        ),
        (
            &owner,
            tx,
            with("t/j", json!({"action": "set_by_path", "all_set": {"a/b": 1}})),
            "Parse Request Error: `json_path`: `b` cannot be a member: its place is no object",
        ),
        (
            &owner,
            tx,
            with("t/j", json!({"action": "shuffle"})),
            "Failed due to reason: Unknown action type: shuffle",
        ),
        (
            &owner,
            tx,
            with("/t/first", json!({"action": "remove"})),
            "Parse Request Error: `actions` has the key t/first in two spellings",
        ),
        (
            &owner,
            tx,
            with("__meta/x", json!({"action": "remove"})),
            "Failed due to reason: internal metadata key is reserved",
        ),
        (
            &owner,
            tx,
            with("t/j", json!(5)),
            "Parse Request Error: `actions` is a number, want objects with `action`",
        ),
        (
            &owner,
            tx,
            with("t/j", json!({"action": "update", "value": 5})),
            "Parse Request Error: `value` is a number, want a text",
        ),
        (
            &owner,
            tx,
            json!({"actions": []}),
            "Parse Request Error: `actions` is a list, want an object",
        ),
        (&owner, tx, json!({}), "Failed due to reason: Missing actions"),
        (
            &owner,
            tx,
            json!({"actions": many}),
            "Parse Request Error: `actions` has more than 256 keys",
        ),
        (
            &owner,
            tx,
            json!({"actions": {}, "main_key": "t/j:7"}),
            "Failed due to reason: revision mismatch for key t/j: expected 7, actual 1",
        ),
        (
            &owner,
            tx,
            json!({"actions": {}, "main_key": 5}),
            "Parse Request Error: `main_key` is a number, want a text `key:revision`, or an object with `key` and `revision`",
        ),
        (
            &owner,
            tx,
            json!({"actions": {}, "main_key": "t/j"}),
            "Parse Request Error: `main_key` is no `key:revision`, want a text `key:revision`, or an object with `key` and `revision`",
        ),
        (
            &ada,
            tx,
            with("users/ada/x", json!({"action": "update", "value": "y"})),
            "No permission:No write permission for key: t/first",
        ),
        (
            &ada,
            tx,
            json!({"actions": {"users/ada/x": {"action": "update", "value": "y"}}, "main_key": "t/j:1"}),
            "No permission:No write permission for key: t/j",
        ),
        (
            &owner,
            part,
            json!({"key": "t/no", "json_path": "a", "value": "1"}),
            "Failed due to reason: key not found : t/no",
        ),
        (
            &owner,
            part,
            json!({"key": "t/text", "json_path": "a", "value": "1"}),
            "Failed due to reason: internal error : the value of t/text is no JSON",
        ),
        (
            &owner,
            part,
            json!({"key": "t/j", "json_path": "a/0", "value": "1"}),
            "Parse Request Error: `json_path`: `0` cannot be a member: its place is no object",
        ),
        (
            &owner,
            part,
            json!({"key": "t/j", "value": "1"}),
            "Failed due to reason: Missing json_path",
        ),
        (
            &ada,
            part,
            json!({"key": "t/j", "json_path": "a", "value": "1"}),
            "No permission:No write permission for key: t/j",
        ),
    ];
    for (caller, method, params, wanted) in table {
        let reply = bed.config(&caller.token, method, params.clone()).await;
        assert_eq!(error(&reply), wanted, "{method} {params}");
    }
    let bad = json!({"key": "t/j", "json_path": "a", "value": "{"});
    let reply = bed.config(&owner.token, part, bad).await;
    assert!(error(&reply).starts_with("Failed due to reason: EOF"), "{reply}");
    assert_eq!(
        bed.count("SELECT COUNT(*) FROM tree WHERE key NOT IN ('t/j', 't/text')")
            .await,
        0
    );
    assert_eq!(bed.count("SELECT SUM(revision) FROM tree").await, 2);
}
