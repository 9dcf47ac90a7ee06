//! login_by_jwt: whose key may speak for whom, once, and what is told (contract on session tokens, sections 5, 8, 9).

use serde_json::{Value, json};

use crate::bed::{BEGIN, Bed, Caller, Key, claims, claims_of, error, result};

struct Zone {
    bed: Bed,
    keeper: (Caller, Key),
    ada: (Caller, Key),
    bob: (Caller, Key),
}

async fn zone() -> Zone {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    let (ada, bob) = (
        bed.user(&owner, "ada", "member").await,
        bed.user(&owner, "bob", "member").await,
    );
    let keys = [Key::fresh(), Key::fresh(), Key::fresh()];
    for (caller, key) in [&owner, &ada, &bob].into_iter().zip(&keys) {
        bed.add_key(caller, key).await;
    }
    let [keeper_key, ada_key, bob_key] = keys;
    Zone {
        bed,
        keeper: (owner, keeper_key),
        ada: (ada, ada_key),
        bob: (bob, bob_key),
    }
}

async fn login(bed: &Bed, jwt: &str) -> Value {
    bed.hub("login_by_jwt", json!({"type": "jwt", "jwt": jwt})).await
}

fn kid(kid: &str) -> Value {
    json!({"alg": "EdDSA", "kid": kid})
}

/// The same claims with one of them changed, or taken out where the value is null.
fn with(mut claims: Value, member: &str, value: Value) -> Value {
    let members = claims.as_object_mut().expect("an object");
    members.remove(member);
    if !value.is_null() {
        members.insert(member.to_owned(), value);
    }
    claims
}

#[tokio::test(flavor = "multi_thread")]
async fn golden_shape_of_a_login_by_jwt() {
    let zone = zone().await;
    let (bed, key) = (&zone.bed, &zone.ada.1);
    let reply = login(bed, &key.login("ada", "1790000000")).await;
    let answer = result(&reply).as_object().expect("an object");
    assert_eq!(
        answer.keys().collect::<Vec<_>>(),
        ["refresh_token", "session_token"]
    );
    let session = answer["session_token"].as_str().expect("a text");
    let claims = claims_of(session);
    assert_eq!(
        (&claims["sub"], &claims["appid"]),
        (&json!("ada"), &json!("files"))
    );
    assert_eq!(bed.doors_of(session).await, [true; 3]);
    // The type is jwt where it is not said; a further member for the instance is looked at.
    let params = json!({"jwt": key.login("ada", "2"), "app_instance_id": "files@ada"});
    result(&bed.hub("login_by_jwt", params).await);
}

/// `root` is the owner's key speaking for the owner: the session that comes of it names the owner.
#[tokio::test(flavor = "multi_thread")]
async fn the_owners_key_may_call_itself_root_and_gets_a_session_of_the_owner() {
    let zone = zone().await;
    let (bed, key) = (&zone.bed, &zone.keeper.1);
    let own_name = key.sign(&kid("root"), &with(claims("root", "2"), "sub", json!("keeper")));
    for jwt in [key.login("root", "1"), own_name] {
        let reply = login(bed, &jwt).await;
        let session = result(&reply)["session_token"]
            .as_str()
            .expect("a text")
            .to_owned();
        assert_eq!(claims_of(&session)["sub"], "keeper");
    }
}

/// What the document, the program and Soke answer. The document says that the signer must be known and the signature
/// good, and names the owner, devices and verify-hub as signers.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table of cases, one after another")]
async fn logins_by_jwt_by_document_program_and_soke() {
    let zone = zone().await;
    let (bed, ada, bob, keeper) = (&zone.bed, &zone.ada, &zone.bob, &zone.keeper);
    let (own, stranger) = (&ada.1, Key::fresh());
    let base = || claims("ada", "x");
    let over = |secs: i64| {
        own.sign(
            &kid("ada"),
            &with(claims("ada", &secs.to_string()), "exp", json!(BEGIN - secs)),
        )
    };
    let used = own.login("ada", "used");
    result(&login(bed, &used).await);
    let verify = "Failed due to reason: JWT verify error";
    let form = "Failed due to reason: JWT decode header error";
    let own_token = "No permission:verify-hub does not exchange its own tokens, refresh them";
    let another = "No permission:iss may speak for no other sub";
    let missing = |claim: &str| format!("Failed due to reason: Missing {claim}");
    let (pair, silent, refused) = ("a pair", "-", "refused");
    let app = "No permission:sign in for the app `scheduler`: this id is not for apps of users";
    // JWT, document, program, Soke.
    let table: Vec<(String, &str, &str, String)> = vec![
        (own.login("ada", "1"), pair, pair, pair.to_owned()),
        (
            used,
            silent,
            "Failed due to reason: Login JWT already used",
            "Failed due to reason: Login JWT already used".to_owned(),
        ),
        (
            own.sign(&json!({"alg": "EdDSA"}), &claims("ada", "2")),
            silent,
            pair,
            pair.to_owned(),
        ),
        (
            own.sign(&json!({"alg": "EdDSA", "typ": "JWT"}), &claims("ada", "3")),
            silent,
            pair,
            pair.to_owned(),
        ),
        (
            own.sign(&kid("ada"), &with(base(), "jti", json!(null))),
            silent,
            "Failed due to reason: Missing jti",
            missing("jti"),
        ),
        (
            own.sign(&kid("ada"), &with(base(), "jti", json!(""))),
            silent,
            pair,
            missing("jti"),
        ),
        (
            own.sign(&kid("ada"), &with(base(), "sub", json!(null))),
            silent,
            "Failed due to reason: Missing sub",
            missing("sub"),
        ),
        (
            own.sign(&kid("ada"), &with(base(), "appid", json!(null))),
            silent,
            "Failed due to reason: Missing appid",
            missing("appid"),
        ),
        (
            own.sign(&kid("ada"), &with(base(), "iss", json!(null))),
            refused,
            verify,
            missing("iss"),
        ),
        // Claims of the oldest clients: the program's later readers take them everywhere but here.
        (
            own.sign(
                &kid("ada"),
                &json!({"iss": "ada", "userid": "ada", "appid": "files", "nonce": 4, "exp": BEGIN + 9}),
            ),
            pair,
            "Failed due to reason: Missing sub",
            pair.to_owned(),
        ),
        (over(30), refused, pair, pair.to_owned()),
        (over(61), refused, verify, verify.to_owned()),
        (stranger.login("ada", "5"), refused, verify, verify.to_owned()),
        (
            stranger.login("nobody", "6"),
            refused,
            "Failed due to reason: User or device config not found",
            verify.to_owned(),
        ),
        (
            own.login("Ada", "7"),
            refused,
            "Failed due to reason: User or device config not found",
            verify.to_owned(),
        ),
        // Any key for anybody: the hole of the program.
        (
            bob.1
                .sign(&kid("bob"), &with(claims("bob", "8"), "sub", json!("ada"))),
            silent,
            pair,
            another.to_owned(),
        ),
        (
            bob.1
                .sign(&kid("bob"), &with(claims("bob", "9"), "sub", json!("kernel"))),
            silent,
            pair,
            another.to_owned(),
        ),
        (bob.1.login("ada", "10"), refused, verify, verify.to_owned()),
        // W11: root.
        (bob.1.login("root", "11"), refused, verify, verify.to_owned()),
        (
            bob.1
                .sign(&kid("bob"), &with(claims("bob", "12"), "sub", json!("root"))),
            silent,
            pair,
            another.to_owned(),
        ),
        (
            keeper
                .1
                .sign(&kid("root"), &with(claims("root", "13"), "sub", json!("ada"))),
            silent,
            pair,
            another.to_owned(),
        ),
        (
            own.sign(&kid("root"), &claims("ada", "14")),
            refused,
            pair,
            "Failed due to reason: JWT verify error: kid and iss differ".to_owned(),
        ),
        (ada.0.token.clone(), silent, pair, own_token.to_owned()),
        (ada.0.refresh.clone(), silent, pair, own_token.to_owned()),
        (
            own.sign(&kid("verify-hub"), &claims("verify-hub", "15")),
            refused,
            verify,
            own_token.to_owned(),
        ),
        // W11: an app of the system.
        (
            own.sign(
                &kid("ada"),
                &with(claims("ada", "16"), "appid", json!("scheduler")),
            ),
            silent,
            pair,
            app.to_owned(),
        ),
        (
            own.sign(
                &kid("ada"),
                &with(claims("ada", "17"), "exp", json!(BEGIN + 86_401)),
            ),
            silent,
            pair,
            "Failed due to reason: JWT verify error: exp lies more than a day ahead".to_owned(),
        ),
        (
            own.sign(
                &kid("ada"),
                &with(claims("ada", "18"), "aud", json!("verify-hub")),
            ),
            silent,
            verify,
            pair.to_owned(),
        ),
        ("abc".to_owned(), refused, form, form.to_owned()),
    ];
    for (place, (jwt, document, program, soke)) in table.into_iter().enumerate() {
        let reply = login(bed, &jwt).await;
        let answer = reply
            .get("error")
            .map_or(pair, |text| text.as_str().expect("a text"));
        assert_eq!(
            answer, soke,
            "row {place}: document {document}, program {program}"
        );
    }
    for (params, text) in [
        (
            json!(null),
            "Parse Request Error: Expected object params for login",
        ),
        (json!({"type": "jwt"}), "Parse Request Error: Missing jwt"),
        (
            json!({"type": "password", "jwt": "x"}),
            "Parse Request Error: login type must be jwt",
        ),
    ] {
        assert_eq!(error(&bed.hub("login_by_jwt", params).await), text);
    }
    for method in ["login", "sudo_by_password", "login_by_", "LOGIN_BY_JWT"] {
        let reply = bed.hub(method, json!({})).await;
        assert_eq!(error(&reply), format!("Unknown method: {method}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_jwt_counts_once_until_it_has_ended_and_for_each_app_by_itself() {
    let zone = zone().await;
    let (bed, key) = (&zone.bed, &zone.ada.1);
    let jwt = key.login("ada", "once");
    let (one, two) = tokio::join!(login(bed, &jwt), login(bed, &jwt));
    assert_eq!(
        [&one, &two]
            .iter()
            .filter(|reply| reply.get("result").is_some())
            .count(),
        1
    );
    // Longer than a session token lives, which is how long the program remembers.
    bed.advance(899);
    assert_eq!(
        error(&login(bed, &jwt).await),
        "Failed due to reason: Login JWT already used"
    );
    let another = key.sign(
        &kid("ada"),
        &with(claims("ada", "once"), "appid", json!("photos")),
    );
    result(&login(bed, &another).await);
    bed.advance(61);
    assert_eq!(
        error(&login(bed, &jwt).await),
        "Failed due to reason: JWT verify error"
    );
}
