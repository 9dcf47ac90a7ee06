//! T03: every way in which a token can be wrong, signed by the right key or another.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{Timestamp, UserId};
use serde_json::{Value, json};

use super::{Grant, Signer, Unproven, Use};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn signer() -> Signer {
    let pair = Ed25519KeyPair::generate().expect("a key");
    Signer {
        fingerprint: "0123456789abcdef".to_owned(),
        pair,
    }
}

fn grant(token_use: Use) -> Grant<'static> {
    Grant {
        zone: "zone-a",
        user_name: "ada",
        user: "01890a5d-ac96-774b-bcce-b302099a8057"
            .parse::<UserId>()
            .expect("an id"),
        app_id: "soke",
        session: (1 << 53) - 1,
        jti: "j".to_owned(),
        token_use,
        now: NOW,
        expires_at: Timestamp::from_secs(1_700_000_900),
    }
}

fn good(signer: &Signer, token: &str, zone: &str, token_use: Use) -> bool {
    let key = signer.pair.public_key().as_ref();
    Unproven::parse(token).is_some_and(|token| token.prove(key, zone, token_use, NOW).is_some())
}

fn signed(signer: &Signer, header: &str, claims: &str) -> String {
    let text = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let signature = URL_SAFE_NO_PAD.encode(signer.pair.sign(text.as_bytes()));
    format!("{text}.{signature}")
}

fn part(token: &str, place: usize) -> Value {
    let part = token.split('.').nth(place).expect("a part");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}

#[test]
fn a_token_says_what_foreign_verifiers_look_for() {
    let signer = signer();
    let token = signer.sign(grant(Use::Access)).expect("is signed");
    let claims = part(token.expose(), 1);
    let session = (1_u64 << 53) - 1;
    for (member, wanted) in [
        ("sub", json!("ada")),
        ("appid", json!("soke")),
        ("iss", json!("verify-hub")),
        ("exp", json!(1_700_000_900)),
        ("jti", json!("j")),
        ("session", json!(session)),
    ] {
        assert_eq!(claims[member], wanted, "{member}");
    }
    assert_eq!(
        claims.get("aud"),
        None,
        "verifiers that check audiences refuse tokens that name one"
    );
    assert_eq!(part(token.expose(), 0)["kid"], "verify-hub");
    let refresh = signer.sign(grant(Use::Refresh)).expect("is signed");
    assert_eq!(part(refresh.expose(), 1)["aud"], "verify-hub");
}

#[test]
fn the_reader_of_foreign_tokens_understands_ours() {
    let token = signer().sign(grant(Use::Access)).expect("is signed");
    let Ok(jwt) = krpc::Jwt::parse(token.expose()) else {
        panic!("is a JWT")
    };
    assert_eq!(jwt.key_id.as_deref(), Some("verify-hub"));
    assert_eq!(jwt.claims.issuer.as_deref(), Some("verify-hub"));
    assert_eq!(jwt.claims.subject.as_deref(), Some("ada"));
    assert_eq!(jwt.claims.expires_at, Some(1_700_000_900));
}

#[test]
fn t03_a_good_token_is_good_for_its_zone_and_use_only() {
    let signer = signer();
    let access = signer.sign(grant(Use::Access)).expect("is signed");
    let refresh = signer.sign(grant(Use::Refresh)).expect("is signed");
    assert!(good(&signer, access.expose(), "zone-a", Use::Access));
    assert!(good(&signer, refresh.expose(), "zone-a", Use::Refresh));
    assert!(!good(&signer, access.expose(), "zone-b", Use::Access), "T04");
    assert!(!good(&signer, access.expose(), "zone-a", Use::Refresh));
    assert!(!good(&signer, refresh.expose(), "zone-a", Use::Access));
}

#[test]
fn t03_a_token_of_another_key_is_refused_even_under_the_same_key_id_and_fingerprint() {
    let (ours, theirs) = (signer(), signer());
    let token = theirs.sign(grant(Use::Access)).expect("is signed");
    assert!(!good(&ours, token.expose(), "zone-a", Use::Access));
}

#[test]
fn t03_a_header_is_exactly_ours() {
    let signer = signer();
    let token = signer.sign(grant(Use::Access)).expect("is signed");
    let (header, claims) = (
        part(token.expose(), 0).to_string(),
        part(token.expose(), 1).to_string(),
    );
    assert!(
        good(&signer, &signed(&signer, &header, &claims), "zone-a", Use::Access),
        "the baseline"
    );
    let cases = [
        header.replace("EdDSA", "none"),
        header.replace("EdDSA", "None"),
        header.replace("EdDSA", "HS256"),
        header.replace("EdDSA", "eddsa"),
        header.replace("EdDSA", "Ed25519"),
        header.replace("verify-hub", "root"),
        header.replace("verify-hub", "$default"),
        header.replace("verify-hub", "../verify-hub"),
        header.replace("verify-hub", "/etc/passwd"),
        header.replace("verify-hub", ""),
        header.replace(
            r#""kid":"verify-hub""#,
            r#""kid":"verify-hub","kid":"verify-hub""#,
        ),
        header.replace(r#""kid":"verify-hub""#, r#""kid":"verify-hub","kid":"root""#),
        header.replace(r#""kid":"verify-hub""#, r#""kid":["verify-hub"]"#),
        header.replace(r#""alg":"EdDSA""#, r#""alg":"EdDSA","alg":"none""#),
        header.replace(r#""alg":"EdDSA","#, ""),
        header.replace('}', r#","crit":["exp"]}"#),
        header.replace('}', r#","jwk":{"kty":"OKP"}}"#),
        header.replace('}', r#","jku":"https://example.org"}"#),
        r#"{"alg":"EdDSA","kid":"verify-hub"}"#.to_owned(),
        "[]".to_owned(),
        String::new(),
    ];
    for header in cases {
        assert!(
            !good(&signer, &signed(&signer, &header, &claims), "zone-a", Use::Access),
            "{header}"
        );
    }
}

#[test]
fn t03_claims_are_complete_of_the_right_type_and_of_this_zone() {
    let signer = signer();
    let token = signer.sign(grant(Use::Access)).expect("is signed");
    let (header, claims) = (part(token.expose(), 0).to_string(), part(token.expose(), 1));
    let without = |member: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().expect("an object").remove(member);
        claims.to_string()
    };
    let with = |member: &str, value: Value| {
        let mut claims = claims.clone();
        claims[member] = value;
        claims.to_string()
    };
    let cases = [
        without("exp"),
        without("sub"),
        without("appid"),
        without("iss"),
        without("jti"),
        without("session"),
        without("token_use"),
        without("zone"),
        without("uid"),
        with("exp", json!("1700000900")),
        with("exp", json!(1_700_000_900.5)),
        with("exp", json!(-1)),
        with("exp", json!(null)),
        with("exp", json!(1_700_000_000)),
        with("exp", json!(0)),
        with("aud", json!("zone-b")),
        with("aud", json!("verify-hub")),
        with("aud", json!(["zone-a"])),
        with("zone", json!("zone-b")),
        with("iss", json!("root")),
        with("appid", json!("")),
        with("token_use", json!("sudo")),
        with("principal_kind", json!("device")),
        with("session", json!("1")),
        with("sudo", json!(true)),
        claims
            .to_string()
            .replace(r#""sub":"ada""#, r#""sub":"ada","sub":"root""#),
    ];
    for claims in cases {
        assert!(
            !good(&signer, &signed(&signer, &header, &claims), "zone-a", Use::Access),
            "{claims}"
        );
    }
}

#[test]
fn t03_no_other_spelling_of_a_token_is_good() {
    let signer = signer();
    let token = signer
        .sign(grant(Use::Access))
        .expect("is signed")
        .expose()
        .to_owned();
    let cases = [
        format!("{token}="),
        format!("{token}\n"),
        format!(" {token}"),
        format!("Bearer {token}"),
        token.replacen('.', "..", 1),
        format!("{token}.{token}"),
        format!("{token}{}", "A".repeat(super::LONGEST)),
        token[..token.len() - 1].to_owned(),
    ];
    for case in cases {
        assert!(!good(&signer, &case, "zone-a", Use::Access), "{case}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,200}") {
        let signer = signer();
        proptest::prop_assert!(!good(&signer, &text, "zone-a", Use::Access));
    }

    #[test]
    fn a_token_with_one_byte_changed_is_refused(place in 0_usize..200, byte in b'A'..=b'z') {
        let signer = signer();
        let token = signer.sign(grant(Use::Access)).expect("is signed").expose().to_owned();
        let mut bytes = token.clone().into_bytes();
        let place = place % bytes.len();
        bytes[place] = byte;
        let changed = String::from_utf8(bytes).expect("ASCII");
        proptest::prop_assert_eq!(good(&signer, &changed, "zone-a", Use::Access), changed == token);
    }
}
