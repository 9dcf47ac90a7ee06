//! Tokens at the door: forged, foreign, of the wrong use, after a change of keys.

use access::Credential;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{ErrorKind, Span};

use crate::bed::{Bed, bearer, peer, refused, secret};

async fn refuse(bed: &Bed, token: String) -> ErrorKind {
    refused(
        bed.access
            .authenticate(Credential::Bearer(secret(&token)), &peer())
            .await,
    )
    .kind()
}

fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

#[tokio::test]
async fn t03_a_token_without_a_signature_of_ours_opens_nothing() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let token = ada.tokens.access_token.expose();
    let mut parts = token.split('.');
    let (header, claims, signature) = (
        parts.next().expect("header"),
        parts.next().expect("claims"),
        parts.next().expect("signature"),
    );
    let shown = String::from_utf8(URL_SAFE_NO_PAD.decode(header).expect("base64")).expect("text");
    assert!(
        shown.starts_with(r#"{"alg":"EdDSA","kid":"verify-hub","key":""#),
        "{shown}"
    );
    let unsigned = shown.replace("EdDSA", "none");
    let hmac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, bed.access.zone().owner_public_key());
    let hs256 = format!("{}.{claims}", encode(&shown.replace("EdDSA", "HS256")));
    let hs256 = format!(
        "{hs256}.{}",
        URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&hmac, hs256.as_bytes()))
    );
    let cases = [
        (
            "alg none, no signature",
            format!("{}.{claims}.", encode(&unsigned)),
        ),
        (
            "alg none, old signature",
            format!("{}.{claims}.{signature}", encode(&unsigned)),
        ),
        ("HS256 by a public key", hs256),
        ("no signature", format!("{header}.{claims}.")),
        ("two parts", format!("{header}.{claims}")),
        ("four parts", format!("{token}.x")),
        ("plain JSON", r#"{"sub":"ada"}"#.to_owned()),
        ("empty", String::new()),
        ("the refresh token", ada.tokens.refresh_token.expose().to_owned()),
        (
            "a changed claim",
            format!("{header}.{}.{signature}", claims.replacen(&claims[9..10], "_", 1)),
        ),
    ];
    for (why, token) in cases {
        assert_eq!(refuse(&bed, token).await, ErrorKind::Unauthenticated, "{why}");
    }
    let swapped = bed.access.refresh(secret(token), &peer()).await;
    assert_eq!(
        refused(swapped).kind(),
        ErrorKind::Unauthenticated,
        "an access token does not refresh"
    );
    assert!(bed.stands(&ada).await);
}

#[tokio::test]
async fn t04_a_token_of_another_zone_with_the_same_names_is_refused() {
    let (here, there) = (Bed::new().await, Bed::new().await);
    let (ada, _same) = (here.owner().await, there.owner().await);
    let answer = there
        .access
        .authenticate(bearer(&ada.tokens.access_token), &peer())
        .await;
    assert_eq!(refused(answer).kind(), ErrorKind::Unauthenticated);
    let answer = there
        .access
        .refresh(secret(ada.tokens.refresh_token.expose()), &peer())
        .await;
    assert_eq!(refused(answer).kind(), ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn an_access_token_ends_after_fifteen_minutes() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    bed.clock.advance(Span::from_secs(15 * 60 - 1));
    assert!(bed.stands(&ada).await);
    bed.clock.advance(Span::from_secs(1));
    assert!(!bed.stands(&ada).await);
}

#[tokio::test]
async fn t15_sessions_outlive_the_key_that_signed_them() {
    t15_sessions_outlive_the_key_that_signed_them_on(Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t15_sessions_outlive_the_key_that_signed_them_on_postgresql() {
    t15_sessions_outlive_the_key_that_signed_them_on(Bed::postgres().await).await;
}

async fn t15_sessions_outlive_the_key_that_signed_them_on(bed: Bed) {
    let ada = bed.owner().await;
    bed.access.rotate_token_key().await.expect("a new key signs");
    assert!(bed.stands(&ada).await, "the key before is good");
    let Ok(turned) = bed
        .access
        .refresh(secret(ada.tokens.refresh_token.expose()), &peer())
        .await
    else {
        panic!("the key before is good for refresh tokens")
    };
    let turned = bed.carry(turned).await;
    assert_ne!(
        turned.tokens.access_token.expose()[..80],
        ada.tokens.access_token.expose()[..80],
        "another key"
    );
    let secrets = "SELECT COUNT(*) FROM sealed WHERE name LIKE 'token/%'";
    assert_eq!(
        bed.count(secrets).await,
        1,
        "the private part of the key before is destroyed"
    );
    bed.clock.advance(Span::from_secs(7 * 86_400));
    bed.access.rotate_token_key().await.expect("a new key signs");
    assert_eq!(
        bed.count("SELECT COUNT(*) FROM token_keys").await,
        2,
        "the oldest key has left"
    );
}
