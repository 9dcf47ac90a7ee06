//! W11: what a kRPC call must not get away with. The tables of the other files have the whole of each.

use krpc::Request;
use serde_json::json;

use crate::bed::{Bed, Connection, Key, PASSWORD, claims, error, result};

#[tokio::test(flavor = "multi_thread")]
async fn w11_wrong_sys_repeated_sequence_old_nonce_other_app_and_root_are_refused() {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    let ada = bed.user(&owner, "ada", "member").await;
    bed.set_password(&ada, None, PASSWORD).await;
    let (key, owners) = (Key::fresh(), Key::fresh());
    bed.add_key(&ada, &key).await;
    bed.add_key(&owner, &owners).await;

    // More elements in `sys` than have a meaning.
    let four = r#"{"method":"verify_token","params":{},"sys":[1,null,"t","x"]}"#;
    let mut connection = Connection::open(bed.node_gateway()).await;
    assert_eq!(connection.post("/kapi/verify-hub", four).await.status, 400);

    // A sequence number that repeats where it stands for the nonce.
    let mut params = bed.password_login("ada", PASSWORD, bed.millis());
    params.as_object_mut().expect("an object").remove("login_nonce");
    let login = Request::new("login_by_password", params, bed.millis());
    let first = bed.send("verify-hub", &login).await;
    let token = result(&first)["session_token"]
        .as_str()
        .expect("a text")
        .to_owned();
    let second = bed.send("verify-hub", &login).await;
    assert_eq!(error(&second), "Failed due to reason: Login nonce already used");

    // A nonce of eight hours ago.
    let old = bed.password_login("ada", PASSWORD, bed.millis() - 8 * 3_600_000);
    let old = bed.hub("login_by_password", old).await;
    assert!(
        error(&old).starts_with("Parse Request Error: Invalid nonce"),
        "{old}"
    );

    // A token for another app.
    let other = json!({"session_token": token, "appid": "photos"});
    let other = bed.hub("verify_token", other).await;
    assert_eq!(error(&other), "Failed due to reason: appid mismatch");

    // Root as subject: by a user's key in its own name, by a user's key as root, and as a token of a session.
    let mut as_root = claims("ada", "1");
    as_root["sub"] = json!("root");
    let in_own_name = key.sign(&json!({"alg": "EdDSA", "kid": "ada"}), &as_root);
    for jwt in [in_own_name, key.login("root", "2")] {
        error(&bed.hub("login_by_jwt", json!({"jwt": jwt})).await);
    }
    let signed_by_owner = owners.login("root", "3");
    assert_eq!(bed.doors_of(&signed_by_owner).await, [false; 3]);
    // Once exchanged, it is the owner by name: no session's subject is root.
    let exchanged = bed.hub("login_by_jwt", json!({"jwt": signed_by_owner})).await;
    let session = result(&exchanged)["session_token"].as_str().expect("a text");
    assert_eq!(crate::bed::claims_of(session)["sub"], "keeper");
}
