//! The contract's vectors, and every form of a signature that must not count.

use proptest::prelude::{ProptestConfig, any, proptest};

use super::{WalletAddress, keccak256, personal_digest, signer};

const TIME: &str = "1703757313";
const DOCUMENT: &str = "0x0d2897e7e3ad18df4a0571a7bacb3ffe417d3b06";
const KEY_ONE: &str = "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf";

/// The signature of the Grid document's own example.
const BY_DOCUMENT: &str = "1fd59e72cd4811467ebb0dfc09d8897c31ad2bde6acf6a1d7fb164f09f69bf12\
                           7c2f676552d7be0a69ea6b5e8f6012394424f9c0e07e9f22ac8e6d18a62b8a3b01";
/// Signatures of private key 1 over the same text, plain and as a wallet frames it.
const PLAIN: &str = "b465873ca28578516a6c93bf0005656db2226493d35dd0bda52ce413029f8cb9\
                     65698a4a28a9ae3aa41a514329a3ebd2bbadd836e3e92a016c53d6b9b108760800";
const FRAMED: &str = "1e4017ed63645575d05243a4a23409997768e1a4df827a9156403eebfcd7511b\
                      12db03bd4d72194485dd2b7858fe7ff28b58e3d0e1838384e72d1db06ca797d300";
/// The order of the curve (SEC 2, 2.4.1).
const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).expect("hex")
}

fn address(text: &str) -> WalletAddress {
    text.parse().expect("an address")
}

fn with_v(signature: &str, v: u8) -> Vec<u8> {
    let mut signature = bytes(signature);
    signature[64] = v;
    signature
}

/// The other signature over the same text: s becomes the order less s, and v turns.
fn twin(signature: &str) -> Vec<u8> {
    let (mut twin, order) = (bytes(signature), bytes(ORDER));
    let mut borrow = 0_i16;
    for place in (0..32).rev() {
        let digit = i16::from(order[place]) - i16::from(twin[32 + place]) - borrow;
        borrow = i16::from(digit < 0);
        twin[32 + place] = u8::try_from(digit + 256 * borrow).expect("one byte");
    }
    twin[64] ^= 1;
    twin
}

#[test]
fn the_contracts_vectors_recover_their_addresses_under_their_own_digest_only() {
    let (plain, framed) = (keccak256(TIME.as_bytes()), personal_digest(TIME));
    assert_eq!(
        hex::encode(plain),
        "14853f31cd0c0349310200d839e53d2a12622cf6ca7a89ece8ff12a4995378ed"
    );
    assert_eq!(
        hex::encode(framed),
        "4cfa2baf4c45fe62014a9c3be82982d16ead8056a53755eda0b03f9cc200be2e"
    );
    for (digest, signature, wanted) in [
        (&plain, BY_DOCUMENT, DOCUMENT),
        (&plain, PLAIN, KEY_ONE),
        (&framed, FRAMED, KEY_ONE),
    ] {
        assert_eq!(signer(digest, &bytes(signature)), Some(address(wanted)));
    }
    for (digest, signature, other) in [
        (&framed, BY_DOCUMENT, DOCUMENT),
        (&framed, PLAIN, KEY_ONE),
        (&plain, FRAMED, KEY_ONE),
    ] {
        assert_ne!(signer(digest, &bytes(signature)), Some(address(other)));
    }
}

#[test]
fn w05_v_is_0_or_27_and_1_or_28_and_nothing_else() {
    let plain = keccak256(TIME.as_bytes());
    for (v, fits) in [(0, true), (27, true), (1, false), (28, false)] {
        let recovered = signer(&plain, &with_v(PLAIN, v));
        assert_eq!(recovered == Some(address(KEY_ONE)), fits, "v = {v}");
    }
    for v in (2..=255).filter(|v| ![27, 28].contains(v)) {
        assert_eq!(signer(&plain, &with_v(PLAIN, v)), None, "v = {v}");
    }
}

#[test]
fn w05_what_is_not_65_bytes_or_lies_outside_the_curves_order_recovers_nobody() {
    let plain = keccak256(TIME.as_bytes());
    let good = bytes(PLAIN);
    for length in [0, 1, 32, 63, 64, 66, 130] {
        let signature: Vec<u8> = good.iter().copied().cycle().take(length).collect();
        assert_eq!(signer(&plain, &signature), None, "{length} bytes");
    }
    let order = bytes(ORDER);
    for (r, s) in [
        (vec![0; 32], good[32..64].to_vec()),
        (good[..32].to_vec(), vec![0; 32]),
        (order.clone(), good[32..64].to_vec()),
        (good[..32].to_vec(), order),
        (vec![0xff; 32], vec![0xff; 32]),
        (vec![0; 32], vec![0; 32]),
    ] {
        for v in [0, 1, 27, 28] {
            assert_eq!(signer(&plain, &[r.clone(), s.clone(), vec![v]].concat()), None);
        }
    }
}

#[test]
fn w02_the_twin_with_the_high_s_is_refused() {
    let plain = keccak256(TIME.as_bytes());
    let other = twin(PLAIN);
    for v in [0, 1, 27, 28] {
        let mut other = other.clone();
        other[64] = v;
        assert_eq!(signer(&plain, &other), None, "v = {v}");
    }
    // It is the twin indeed: turned back it is the good one.
    assert_eq!(twin(&hex::encode(&other)), bytes(PLAIN));
}

#[test]
fn w04_an_address_has_exactly_20_bytes() {
    let digits = &KEY_ONE[2..];
    for text in [
        String::new(),
        "0x".to_owned(),
        digits.to_owned(),
        format!("0x{}", &digits[1..]),
        format!("0x{}", &digits[2..]),
        format!("0x{digits}0"),
        format!("0x{digits}00"),
        format!("0x{}g", &digits[1..]),
        format!("0x {}", &digits[1..]),
        format!(" 0x{digits}"),
        format!("0x{digits} "),
        format!("0x0x{}", &digits[2..]),
        format!("0x{}\u{e9}", &digits[2..]),
    ] {
        assert!(text.parse::<WalletAddress>().is_err(), "{text:?}");
    }
    for text in [
        KEY_ONE.to_owned(),
        KEY_ONE.to_uppercase(),
        "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf".to_owned(),
    ] {
        assert_eq!(address(&text).to_string(), KEY_ONE);
    }
}

#[test]
fn capitals_are_those_of_eip_55() {
    // The proposal's own examples.
    for text in [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
    ] {
        assert_eq!(address(text).with_capitals(), text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn w05_no_bytes_make_it_fall_over(digest in any::<[u8; 32]>(), signature in any::<Vec<u8>>(), v in 0_u8..4) {
        let _nobody_or_somebody = signer(&digest, &signature);
        let mut of_good_length: Vec<u8> = signature.into_iter().chain([1; 64]).take(64).collect();
        of_good_length.push(v);
        let _nobody_or_somebody = signer(&digest, &of_good_length);
    }
}
