//! T03 at these doors: tokens that are made to be believed, each refused by verify_token and by system_config.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::bed::{BEGIN, Bed, Key, claims_of, error, part_of};

fn token(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.{}",
        part(header),
        part(claims),
        URL_SAFE_NO_PAD.encode(signature)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn t03_tokens_that_are_made_to_be_believed_are_refused() {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    let (own, stranger) = (Key::fresh(), Key::fresh());
    bed.add_key(&owner, &own).await;
    let (header, claims) = (part_of(&owner.token, 0), claims_of(&owner.token));
    let signature = owner.token.rsplit('.').next().expect("a signature");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let head = |member: &str, value: Value| {
        let mut head = header.clone();
        head[member] = value;
        head
    };
    let claim = |member: &str, value: Value| {
        let mut claims = claims.clone();
        if value.is_null() {
            claims.as_object_mut().expect("an object").remove(member);
        } else {
            claims[member] = value;
        }
        claims
    };
    let mut forged = vec![
        token(&head("alg", json!("none")), &claims, b""),
        token(&head("alg", json!("None")), &claims, &signature),
        token(&head("alg", json!("HS256")), &claims, &signature),
        token(&head("alg", json!("RS256")), &claims, &signature),
        token(&head("kid", json!("unknown")), &claims, &signature),
        token(&head("kid", json!("../../keys/seal.key")), &claims, &signature),
        token(&head("kid", json!("root")), &claims, &signature),
        token(&head("key", json!("0000000000000000")), &claims, &signature),
        token(&head("key", json!("../0000")), &claims, &signature),
        token(&head("jwk", json!({"kty": "OKP"})), &claims, &signature),
        token(&header, &claims, b""),
        token(&header, &claims, &[0; 64]),
        owner.refresh.clone(),
        stranger.sign(&header, &claims),
        own.sign(&header, &claims),
        own.sign(&json!({"alg": "EdDSA", "kid": "root"}), &claims),
    ];
    // The signature is the zone's own and no longer fits; and each again under a key that the zone knows.
    for changed in [
        claim("exp", json!(null)),
        claim("exp", json!("1790000900")),
        claim("exp", json!(BEGIN + 900_000)),
        claim("aud", json!("another-zone")),
        claim("zone", json!("another-zone")),
        claim("sub", json!("root")),
        claim("sub", json!("kernel")),
        claim("appid", json!("scheduler")),
        claim("appid", json!(null)),
        claim("session", json!(1)),
        claim("token_use", json!("refresh")),
        claim("uid", json!("00000000-0000-7000-8000-000000000000")),
    ] {
        forged.push(token(&header, &changed, &signature));
        forged.push(own.sign(&header, &changed));
        forged.push(own.sign(&json!({"alg": "EdDSA", "kid": "keeper"}), &changed));
    }
    // Two header members of one name.
    let twice = r#"{"alg":"none","alg":"EdDSA","kid":"verify-hub"}"#;
    let mut parts = owner.token.split('.').skip(1);
    let rest = [parts.next().expect("claims"), parts.next().expect("a signature")];
    forged.push(format!(
        "{}.{}.{}",
        URL_SAFE_NO_PAD.encode(twice),
        rest[0],
        rest[1]
    ));
    forged.push(owner.token.replace('.', ". "));
    forged.push(format!("{}.", owner.token));
    forged.push(format!("Bearer {}", owner.token));
    forged.push(owner.token.to_uppercase());

    assert_eq!(bed.doors_of(&owner.token).await, [true; 3]);
    for (place, token) in forged.iter().enumerate() {
        assert_eq!(bed.doors_of(token).await, [false; 3], "token {place}: {token}");
        let refreshed = bed.hub("refresh_token", json!({"refresh_token": token})).await;
        // The real refresh token is good here, and nowhere else.
        if *token != owner.refresh {
            error(&refreshed);
        }
    }
}
