//! The life of a session: refreshed, verified, signed out, revoked; and the same user however it was opened.

use std::time::Duration;

use access::{Proof, session};
use serde_json::{Value, json};

use crate::bed::{Bed, Caller, Key, PASSWORD, error, result, secret};

const NOT_FOUND: &str = "Failed due to reason: Refresh token not found or already invalidated";

fn tokens(reply: &Value) -> (String, String) {
    let text = |member: &str| result(reply)[member].as_str().expect("a text").to_owned();
    (text("session_token"), text("refresh_token"))
}

async fn refresh(bed: &Bed, token: &str) -> Value {
    bed.hub("refresh_token", json!({"refresh_token": token})).await
}

async fn verify(bed: &Bed, token: &str) -> Value {
    bed.hub("verify_token", json!({"session_token": token})).await
}

/// Sessions of one user by every proof that there is.
async fn every_way(bed: &Bed) -> (Caller, Vec<Caller>) {
    let owner = bed.owner().await;
    let by_code = bed.user(&owner, "ada", "member").await;
    let key = Key::fresh();
    bed.add_key(&by_code, &key).await;
    bed.set_password(&by_code, None, PASSWORD).await;
    let by_password = bed
        .sign_in(Proof::Password {
            user_name: "ada".to_owned(),
            password: secret(PASSWORD),
        })
        .await;
    let challenge = bed.access.challenge("ada").expect("a challenge");
    let by_key = bed
        .sign_in(Proof::Key {
            user_name: "ada".to_owned(),
            signature: key.raw(&challenge),
            challenge,
            public_key: key.public().to_vec(),
        })
        .await;
    let mut all = vec![by_code, by_password, by_key];
    let jwt = json!({"type": "jwt", "jwt": key.login("ada", "1")});
    let proof = bed.password_login("ada", PASSWORD, bed.millis());
    for (method, params) in [("login_by_jwt", jwt), ("login_by_password", proof)] {
        let (session, refresh) = tokens(&bed.hub(method, params).await);
        all.push(bed.caller(&session, &refresh).await);
    }
    (owner, all)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_the_same_user_at_every_door_however_it_was_opened() {
    let bed = Bed::new().await;
    let (_owner, all) = every_way(&bed).await;
    let key = json!({"key": "users/ada/profile", "value": "x"});
    let elsewhere = json!({"key": "users/bob/profile", "value": "x"});
    let id = all[0].actor.user().expect("a user").id;
    for caller in &all {
        assert_eq!(result(&verify(&bed, &caller.token).await), &json!(true));
        let who = bed
            .access
            .who_am_i(&bed.permit::<session::WhoAmI>(caller).await)
            .await;
        let who = who.expect("known");
        assert_eq!((who.user_id, who.user_name.as_str()), (id, "ada"));
        result(&bed.config(&caller.token, "sys_config_set", key.clone()).await);
        error(
            &bed.config(&caller.token, "sys_config_set", elsewhere.clone())
                .await,
        );
        let (session, _refresh) = tokens(&refresh(&bed, &caller.refresh).await);
        assert_eq!(bed.doors_of(&session).await, [true; 3]);
    }
    let by_ada =
        "SELECT COUNT(*) FROM audit WHERE action = 'tree.set' AND outcome = 'done' AND actor_name = 'ada'";
    assert_eq!(bed.count(by_ada).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_ends_every_shape_of_every_session_within_five_seconds() {
    let bed = Bed::new().await;
    let (owner, all) = every_way(&bed).await;
    let mut open = Vec::new();
    for caller in &all {
        let (access, session) = (bed.access.clone(), caller.actor.user().expect("a user").session);
        let mut stream = Box::pin(async move { access.until_revoked(session).await });
        let early = tokio::time::timeout(Duration::from_millis(20), stream.as_mut()).await;
        assert!(early.is_err(), "the session stands");
        open.push(stream);
    }
    let permit = bed.permit::<access::user::Revoke>(&owner).await;
    let ended = bed.access.revoke_sessions(&permit, "ada").await.expect("revoked");
    assert_eq!(ended, 5);
    for caller in &all {
        assert_eq!(bed.doors_of(&caller.token).await, [false; 3]);
        let verified = verify(&bed, &caller.token).await;
        assert_eq!(
            error(&verified),
            "Failed due to reason: JWT verify error: the session has ended"
        );
        let got = bed
            .config(&caller.token, "sys_config_get", json!({"key": "boot/config"}))
            .await;
        assert_eq!(error(&got), "Invalid token: the session has ended, log in again");
        assert_eq!(error(&refresh(&bed, &caller.refresh).await), NOT_FOUND);
    }
    for stream in open {
        let ended = tokio::time::timeout(Duration::from_secs(5), stream).await;
        assert!(ended.is_ok(), "an open stream outlives its session");
    }
    assert_eq!(bed.doors_of(&owner.token).await, [true; 3]);
}

/// Section 9 of the contract on session tokens: what the program answers, and what Soke does.
#[tokio::test(flavor = "multi_thread")]
async fn refresh_and_logout_by_document_program_and_soke() {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    let user = |name: &'static str| bed.user(&owner, name, "member");
    let (ada, bob) = (user("ada").await, user("bob").await);
    let key = Key::fresh();
    let (_one, latest) = tokens(&refresh(&bed, &ada.refresh).await);
    let (reused, lost) = ("Failed due to reason: Invalid refresh token jti", NOT_FOUND);
    let (kid, form) = (
        "Failed due to reason: JWT kid not allowed",
        "Failed due to reason: JWT decode header error",
    );
    let (before, after) = bob.refresh.split_at(bob.refresh.len() - 10);
    let turned = if after.starts_with('A') { "B" } else { "A" };
    let changed = format!("{before}{turned}{}", &after[1..]);
    let unsound = "Failed due to reason: JWT verify error";
    // Token, document, program, Soke.
    let table = [
        (ada.refresh.as_str(), "-", reused, reused),
        (latest.as_str(), "-", lost, lost),
        (bob.token.as_str(), "-", lost, lost),
        (&key.login("ada", "1"), "-", kid, kid),
        (&changed, "-", unsound, unsound),
        ("abc", "-", form, form),
        (
            "",
            "-",
            "Parse Request Error: Missing refresh_token",
            "Parse Request Error: Missing refresh_token",
        ),
    ];
    for (place, (token, document, program, soke)) in table.into_iter().enumerate() {
        for method in ["refresh_token", "logout"] {
            let reply = bed.hub(method, json!({"refresh_token": token})).await;
            // The first use of an old token ends the session, so the second finds none.
            let wanted = if place == 0 && method == "logout" {
                lost
            } else {
                soke
            };
            assert_eq!(
                error(&reply),
                wanted,
                "row {place} {method}: document {document}, program {program}"
            );
        }
    }
    assert_eq!(
        bed.doors_of(&ada.token).await,
        [false; 3],
        "a token used twice ends the session"
    );

    let out = async || bed.hub("logout", json!({"refresh_token": bob.refresh})).await;
    assert_eq!(result(&out().await), &json!(true));
    assert_eq!(error(&out().await), lost);
    // The program's answer is still true.
    assert_eq!(
        error(&verify(&bed, &bob.token).await),
        "Failed due to reason: JWT verify error: the session has ended"
    );
    let done = "SELECT COUNT(*) FROM audit WHERE action = 'session.sign_out' AND outcome = 'done' AND actor_name = 'bob'";
    assert_eq!(bed.count(done).await, 1);
}

/// verify_token with the meaning of the latest generation: `appid` is compared with the claim.
#[tokio::test(flavor = "multi_thread")]
async fn verify_token_by_document_program_and_soke() {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    let key = Key::fresh();
    bed.add_key(&owner, &key).await;
    let jwt = json!({"jwt": key.login("keeper", "1")});
    let (session, refresh) = tokens(&bed.hub("login_by_jwt", jwt).await);
    let (good, unsound) = ("true", "Failed due to reason: JWT verify error");
    let no_jwt = "Invalid token: not a jwt token";
    let (app, instance) = (
        "Failed due to reason: appid mismatch",
        "Failed due to reason: app_instance_id mismatch",
    );
    let as_session = "Failed due to reason: refresh token cannot be used as session token";
    let own = key.login("keeper", "2");
    // Parameters, document, program, Soke.
    let table = [
        (json!({"session_token": session}), good, good, good),
        (
            json!({"session_token": session, "appid": "files"}),
            good,
            unsound,
            good,
        ),
        // W11: a token for another app.
        (
            json!({"session_token": session, "appid": "photos"}),
            "refused",
            unsound,
            app,
        ),
        (
            json!({"session_token": session, "appid": "verify-hub"}),
            "refused",
            unsound,
            app,
        ),
        (
            json!({"session_token": session, "app_instance_id": "files@keeper"}),
            good,
            good,
            good,
        ),
        (
            json!({"session_token": session, "app_instance_id": "photos@keeper"}),
            "refused",
            good,
            instance,
        ),
        (json!({"session_token": refresh}), "refused", good, as_session),
        (
            json!({"session_token": refresh, "appid": "verify-hub"}),
            "refused",
            good,
            as_session,
        ),
        (json!({"session_token": own}), "refused", unsound, unsound),
        (json!({"session_token": "abc"}), "refused", no_jwt, no_jwt),
        (
            json!({"session_token": "{\"userid\":\"keeper\"}"}),
            "refused",
            no_jwt,
            no_jwt,
        ),
        (
            json!({}),
            "-",
            "Parse Request Error: ",
            "Parse Request Error: Missing session_token",
        ),
    ];
    for (place, (params, document, program, soke)) in table.into_iter().enumerate() {
        let reply = bed.hub("verify_token", params).await;
        let answer = reply
            .get("error")
            .map_or(good, |text| text.as_str().expect("a text"));
        assert_eq!(
            answer, soke,
            "row {place}: document {document}, program {program}"
        );
    }
    bed.advance(901);
    assert_eq!(error(&verify(&bed, &session).await), unsound);
}
