//! Claims of every generation, and everything that is no token.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::prelude::proptest;

use super::{BadToken, Claims, Jwt};

const HEADER: &str = r#"{"alg":"EdDSA","kid":"verify-hub"}"#;

fn token(header: &str, claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(header), part(claims), part("signature"))
}

fn claims(text: &str) -> Result<Claims, BadToken> {
    Ok(Jwt::parse(&token(HEADER, text))?.claims)
}

#[test]
fn each_generation_of_claims_is_read() {
    let text = |word: &str| Some(word.to_owned());
    let new = claims(
        r#"{"sub":"ada","appid":"files","iss":"verify-hub","exp":9,"jti":"j","session":"12","aud":["a","b"],
            "sudo":true,"extra":{"a":[1]}}"#,
    );
    assert_eq!(
        new,
        Ok(Claims {
            subject: text("ada"),
            app_id: text("files"),
            issuer: text("verify-hub"),
            expires_at: Some(9),
            token_id: text("j"),
            audience: text("a"),
            session: Some(12),
            app_instance_id: None,
        })
    );
    let old = claims(r#"{"userid":"ada","nonce":77,"exp":9,"session":12,"aud":"x"}"#).unwrap();
    assert_eq!((old.subject, old.token_id), (text("ada"), text("77")));
    assert_eq!((old.session, old.audience), (Some(12), text("x")));
    let empty = claims(r#"{"sub":"","appid":"","jti":"","iss":"","app_instance_id":""}"#).unwrap();
    assert_eq!(empty, Claims::default());
    assert_eq!(claims(r#"{"sub":"a","userid":"b"}"#).unwrap().subject, text("a"));
}

#[test]
fn claims_of_other_types_are_refused() {
    for text in [
        "null",
        "[]",
        r#""text""#,
        r#"{"exp":"9"}"#,
        r#"{"exp":9.5}"#,
        r#"{"exp":-9}"#,
        r#"{"sub":5}"#,
        r#"{"appid":["a"]}"#,
        r#"{"iss":{}}"#,
        r#"{"jti":true}"#,
        r#"{"nonce":-1}"#,
        r#"{"aud":[]}"#,
        r#"{"aud":[1]}"#,
        r#"{"aud":7}"#,
        r#"{"session":"twelve"}"#,
        r#"{"session":-1}"#,
        r#"{"session":""}"#,
        r#"{"sub":"ada","sub":"root"}"#,
        "{} {}",
        "",
    ] {
        assert_eq!(claims(text), Err(BadToken::Claims), "{text}");
    }
}

#[test]
fn headers_of_other_kinds_are_refused() {
    for (header, fault) in [
        (r#"{"alg":"none"}"#, BadToken::Algorithm),
        (r#"{"alg":"HS256"}"#, BadToken::Algorithm),
        (r#"{"alg":"eddsa"}"#, BadToken::Algorithm),
        (r#"{"alg":"EdDSA ","kid":"a"}"#, BadToken::Algorithm),
        (r#"{"alg":["EdDSA"]}"#, BadToken::Header),
        (r#"{"alg":"EdDSA","kid":5}"#, BadToken::Header),
        (r#"{"alg":"EdDSA","alg":"none"}"#, BadToken::Header),
        (r#"{"kid":"a"}"#, BadToken::Header),
        ("", BadToken::Header),
    ] {
        assert_eq!(Jwt::parse(&token(header, "{}")), Err(fault), "{header}");
    }
    let long = format!("{}.{}.{}", "a".repeat(4000), "a".repeat(100), "a");
    for text in [
        "",
        ".",
        "..",
        "a.b",
        "abc",
        r#"{"userid":"ada"}"#,
        "a.b.c.d",
        "=.=.=",
        "é.é.é",
        &long,
    ] {
        let fault = Jwt::parse(text).unwrap_err();
        assert!(
            matches!(fault, BadToken::NotJwt | BadToken::Header),
            "{text}: {fault}"
        );
    }
}

#[test]
fn what_was_signed_is_the_first_two_parts() {
    let text = token(HEADER, r#"{"sub":"ada"}"#);
    let jwt = Jwt::parse(&text).unwrap();
    assert_eq!(jwt.signed(), &text.as_bytes()[..text.rfind('.').unwrap()]);
    assert_eq!(
        (jwt.signature(), jwt.key_id.as_deref()),
        (&b"signature"[..], Some("verify-hub"))
    );
}

proptest! {
    #[test]
    fn whatever_the_text_is_taking_it_apart_answers(text in ".*", header in ".*", claims in ".*") {
        drop(Jwt::parse(&text));
        drop(Jwt::parse(&token(HEADER, &claims)));
        drop(Jwt::parse(&token(&header, &claims)));
    }
}
