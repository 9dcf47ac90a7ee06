//! login_by_password: the proof, its nonce, and what is told to whom (contract on session tokens, sections 5, 6, 9).

use access::{Config, Proof};
use krpc::Request;
use serde_json::{Value, json};

use crate::bed::{Bed, Caller, PASSWORD, claims_of, error, part_of, result, secret};

async fn zone() -> (Bed, Caller, Caller) {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    let ada = bed.user(&owner, "ada", "member").await;
    bed.set_password(&ada, None, PASSWORD).await;
    (bed, owner, ada)
}

async fn login(bed: &Bed, params: Value) -> Value {
    bed.hub("login_by_password", params).await
}

#[tokio::test(flavor = "multi_thread")]
async fn golden_shape_of_a_login_by_password() {
    let (bed, owner, _ada) = zone().await;
    bed.set_password(&owner, None, PASSWORD).await;
    let admin = bed.user(&owner, "eve", "admin").await;
    bed.set_password(&admin, None, PASSWORD).await;
    for (name, kind) in [("ada", "user"), ("eve", "admin"), ("keeper", "root")] {
        let reply = login(&bed, bed.password_login(name, PASSWORD, bed.millis())).await;
        let answer = result(&reply);
        let user_info = json!({"show_name": name, "user_id": name, "state": "active", "user_type": kind});
        assert_eq!(answer["user_info"], user_info);
        assert_eq!(answer.as_object().expect("an object").len(), 3);
        let (session, refresh) = (&answer["session_token"], &answer["refresh_token"]);
        let (session, refresh) = (
            session.as_str().expect("a text"),
            refresh.as_str().expect("a text"),
        );
        let (s, r) = (claims_of(session), claims_of(refresh));
        for claims in [&s, &r] {
            assert_eq!(claims["sub"], name);
            assert_eq!(claims["appid"], "files");
            assert_eq!(claims["iss"], "verify-hub");
            assert_eq!(claims["principal_kind"], "user");
            assert!(claims["jti"].is_string() && claims["session"].is_u64());
        }
        assert_eq!(s["session"], r["session"]);
        assert_ne!(s["jti"], r["jti"]);
        assert!(s.get("aud").is_none());
        assert_eq!(r["aud"], "verify-hub");
        let now = bed.clock.now().secs();
        assert_eq!((&s["exp"], &r["exp"]), (&json!(now + 900), &json!(now + 604_800)));
        let head = part_of(session, 0);
        assert_eq!(
            (&head["alg"], &head["kid"]),
            (&json!("EdDSA"), &json!("verify-hub"))
        );
        assert!(head.get("typ").is_none());
        assert_eq!(bed.doors_of(session).await, [true; 3]);
        bed.advance(1);
    }
}

/// The TypeScript client sends no nonce: it sets its sequence number to one.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_nonce_the_sequence_number_is_the_nonce() {
    let (bed, _owner, _ada) = zone().await;
    let millis = bed.millis();
    for (seq, nonce) in [(millis, millis), ((millis + 1) * 1000 + 7, millis + 1)] {
        let mut params = bed.password_login("ada", PASSWORD, nonce);
        params.as_object_mut().expect("an object").remove("login_nonce");
        let request = Request::new("login_by_password", params, seq);
        result(&bed.send("verify-hub", &request).await);
        // W11: a sequence number that repeats is a nonce that repeats.
        let again = bed.send("verify-hub", &request).await;
        assert_eq!(error(&again), "Failed due to reason: Login nonce already used");
    }
}

/// What the document, the program and Soke answer. The document only says that there is a login at verify-hub.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table of cases, one after another")]
async fn refusals_of_a_login_by_password_by_document_program_and_soke() {
    let (bed, owner, _ada) = zone().await;
    bed.user(&owner, "new", "member").await;
    let now = bed.millis();
    let good = |nonce: u64| bed.password_login("ada", PASSWORD, nonce);
    let with = |member: &str, value: Value| {
        let mut params = good(now);
        params[member] = value;
        params
    };
    let without = |member: &str| {
        let mut params = good(now);
        params.as_object_mut().expect("an object").remove(member);
        params
    };
    let used = good(now - 1);
    result(&login(&bed, used.clone()).await);
    let mut for_another_app = used.clone();
    for_another_app["appid"] = json!("another");
    let nonce = format!("Parse Request Error: Invalid nonce: the clock of this zone reads {now} ms");
    let nonce = nonce.as_str();
    let (silent, pair, wrong) = ("-", "a pair", "Invalid password");
    let parse = "Parse Request Error: ";
    let app =
        |id: &str| format!("No permission:sign in for the app `{id}`: this id is not for apps of users");
    let apps = [
        "scheduler",
        "kernel",
        "node-daemon",
        "verify-hub",
        "system_config",
        "System_Config",
    ];
    let apps = apps.map(|id| (with("appid", json!(id)), app(id)));
    // Parameters, document, program, Soke.
    let mut table = vec![
        (
            used,
            silent,
            "Failed due to reason: Login nonce already used",
            "Failed due to reason: Login nonce already used",
        ),
        // The proof does not cover the app: the same nonce for another one is the same proof again.
        (
            for_another_app,
            silent,
            pair,
            "Failed due to reason: Login nonce already used",
        ),
        (
            bed.password_login("ada", "not the password", now),
            silent,
            wrong,
            wrong,
        ),
        (
            bed.password_login("nobody", PASSWORD, now),
            silent,
            "Failed due to reason: user info not found",
            wrong,
        ),
        (bed.password_login("new", PASSWORD, now), silent, wrong, wrong),
        (
            with("password", json!("%%%")),
            silent,
            "Failed due to reason: Invalid symbol 37, offset 0.",
            wrong,
        ),
        (good(now - 28_000), silent, pair, pair),
        (good(now - 31_000), silent, nonce, pair),
        (good(now - 300_000), silent, nonce, pair),
        (good(now + 300_000), silent, nonce, pair),
        (good(now - 300_001), silent, nonce, nonce),
        (good(now + 300_001), silent, nonce, nonce),
        // W11: eight hours, which the program once meant to take.
        (good(now - 8 * 3_600_000), silent, nonce, nonce),
        (good(0), silent, nonce, nonce),
        (good(u64::MAX), silent, nonce, nonce),
        (
            without("type"),
            silent,
            "Parse Request Error: login type must be password",
            "Parse Request Error: login type must be password",
        ),
        (
            with("type", json!("jwt")),
            silent,
            "Parse Request Error: login type must be password",
            "Parse Request Error: login type must be password",
        ),
        (
            without("username"),
            silent,
            parse,
            "Parse Request Error: Missing username",
        ),
        (
            without("password"),
            silent,
            parse,
            "Parse Request Error: Missing password",
        ),
        (
            without("appid"),
            silent,
            parse,
            "Parse Request Error: Missing appid",
        ),
        (
            with("appid", json!("")),
            silent,
            pair,
            "Parse Request Error: Missing appid",
        ),
        (
            with("app_instance_id", json!("other@ada")),
            silent,
            pair,
            "Failed due to reason: app_instance_id mismatch",
        ),
        (
            json!(null),
            silent,
            "Parse Request Error: Expected object params for login",
            "Parse Request Error: Expected object params for login",
        ),
    ];
    table.extend(
        apps.iter()
            .map(|(params, text)| (params.clone(), silent, pair, text.as_str())),
    );
    for (place, (params, document, program, soke)) in table.into_iter().enumerate() {
        let reply = login(&bed, params).await;
        let answer = reply
            .get("error")
            .map_or(pair, |text| text.as_str().expect("a text"));
        assert_eq!(
            answer, soke,
            "row {place}: document {document}, program {program}"
        );
    }
    let instance = with("app_instance_id", json!("files@ada"));
    result(&login(&bed, instance).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_is_made_to_wait() {
    let (bed, _owner, _ada) = zone().await;
    let mut waits = 0;
    for guess in 0..12 {
        let reply = login(&bed, bed.password_login("ada", "guess", bed.millis() + guess)).await;
        waits += usize::from(error(&reply).contains("too many tries"));
    }
    assert!(waits >= 5, "{waits}");
    let right = login(&bed, bed.password_login("ada", PASSWORD, bed.millis())).await;
    assert!(error(&right).contains("too many tries"));
    bed.advance(3600);
    result(&login(&bed, bed.password_login("ada", PASSWORD, bed.millis())).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_was_set_anew_ends_the_proofs_of_the_old_one() {
    let (bed, _owner, ada) = zone().await;
    bed.set_password(&ada, Some(PASSWORD), "another battery staple")
        .await;
    let old = login(&bed, bed.password_login("ada", PASSWORD, bed.millis())).await;
    assert_eq!(error(&old), "Invalid password");
    let new = bed.password_login("ada", "another battery staple", bed.millis());
    result(&login(&bed, new).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_takes_no_proofs_keeps_nothing_for_them() {
    let bed = Bed::with(Config {
        password_proof: false,
        ..Config::default()
    })
    .await;
    let owner = bed.owner().await;
    bed.set_password(&owner, None, PASSWORD).await;
    let by_password = Proof::Password {
        user_name: "keeper".to_owned(),
        password: secret(PASSWORD),
    };
    bed.sign_in(by_password).await;
    let reply = login(&bed, bed.password_login("keeper", PASSWORD, bed.millis())).await;
    let off = "Failed due to reason: NotSupported: login by password proof is switched off in this zone";
    assert_eq!(error(&reply), off);
    assert_eq!(
        bed.count("SELECT COUNT(*) FROM sealed WHERE name LIKE 'password proof/%'")
            .await,
        0
    );
}

/// The verifier for proofs is made where the password itself is seen, and a switch that was off leaves none.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_makes_proofs_good_again_when_it_is_used_and_no_proof_does() {
    let kept = "SELECT COUNT(*) FROM sealed WHERE name LIKE 'password proof/%'";
    let (bed, _owner, ada) = zone().await;
    assert_eq!(bed.count(kept).await, 1);
    let off = Config {
        password_proof: false,
        ..Config::default()
    };
    let bed = bed.restarted(off).await;
    assert_eq!(bed.count(kept).await, 0);
    let bed = bed.restarted(Config::default()).await;
    let proof = async || login(&bed, bed.password_login("ada", PASSWORD, bed.millis())).await;
    assert_eq!(error(&proof().await), "Invalid password");
    assert_eq!(
        bed.doors_of(&ada.token).await,
        [true; 3],
        "sessions outlive all of this"
    );
    let by_password = Proof::Password {
        user_name: "ada".to_owned(),
        password: secret(PASSWORD),
    };
    bed.sign_in(by_password).await;
    assert_eq!(bed.count(kept).await, 1);
    result(&proof().await);
}
