//! T14: one strict verifier.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use model::{Span, Timestamp};

use super::{Challenges, SMALL_ORDER, public_key, verify};

/// RFC 8032 section 7.1, tests 1 and 2: public key, message, signature.
const VECTORS: [(&str, &str, &str); 2] = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
];

fn bytes(digits: &str) -> Vec<u8> {
    hex::decode(digits).expect("hex digits")
}

#[test]
fn the_standard_vectors_are_good_and_no_changed_bit_is() {
    for (key, message, signature) in VECTORS {
        let (key, message, signature) = (bytes(key), bytes(message), bytes(signature));
        assert!(verify(&key, &message, &signature));
        for bit in 0..512 {
            let mut changed = signature.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify(&key, &message, &changed), "bit {bit}");
        }
    }
}

#[test]
fn t14_keys_and_points_of_small_order_are_refused_with_either_sign() {
    for y in SMALL_ORDER {
        let mut other = y;
        other[31] |= 0x80;
        for point in [y, other] {
            assert_eq!(public_key(&point), None);
            // Under the neutral point, R = the same point and S = 0 satisfy the equation for every message.
            let mut signature = point.to_vec();
            signature.extend_from_slice(&[0; 32]);
            assert!(!verify(&point, b"anything", &signature));
            let (good_key, _, _) = VECTORS[0];
            assert!(!verify(&bytes(good_key), b"anything", &signature));
        }
    }
}

#[test]
fn t14_keys_in_a_second_form_are_refused() {
    // y = p + n for n of 0 to 18 is a second form of n.
    for low in 0xed..=0xff_u8 {
        let mut y = [0xff; 32];
        (y[0], y[31]) = (low, 0x7f);
        assert_eq!(public_key(&y), None, "{low:02x}");
        y[31] = 0xff;
        assert_eq!(public_key(&y), None, "{low:02x} with sign");
    }
    let mut largest = [0xff; 32];
    (largest[0], largest[31]) = (0xeb, 0x7f);
    assert!(public_key(&largest).is_some(), "p - 2 is a canonical y");
}

#[test]
fn t14_a_signature_whose_s_is_not_reduced_is_refused() {
    // The order of the base point, little endian; S + L satisfies the same equation.
    let order = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    for (key, message, signature) in VECTORS {
        let mut second = bytes(signature);
        let mut carry = 0_u16;
        for (byte, add) in second[32..].iter_mut().zip(&order) {
            let sum = u16::from(*byte) + u16::from(*add) + carry;
            *byte = u8::try_from(sum & 0xff).expect("a byte");
            carry = sum >> 8;
        }
        assert!(!verify(&bytes(key), &bytes(message), &second));
    }
}

#[test]
fn signatures_and_keys_of_other_lengths_are_refused() {
    let (key, message, signature) = VECTORS[1];
    let (key, message, signature) = (bytes(key), bytes(message), bytes(signature));
    let longer = [signature.clone(), vec![0]].concat();
    for signature in [&signature[..63], &longer, &[]] {
        assert!(!verify(&key, &message, signature));
    }
    assert!(!verify(&key[..31], &message, &signature) && !verify(&[], &message, &signature));
}

#[test]
fn t14_a_challenge_is_read_back_for_its_name_and_zone_until_its_end() {
    let now = Timestamp::from_secs(1_700_000_000);
    let (ours, same_key) = (
        Challenges::new(&[1; 32], "z1 soke.localhost"),
        Challenges::new(&[1; 32], "z2 soke.localhost"),
    );
    let challenge = ours.make("ada", now).expect("is made");
    assert!(ours.read(&challenge, "ada", now).is_some());
    assert!(
        ours.read(&challenge, "ada", now + Span::from_micros(59_999_999))
            .is_some()
    );
    assert!(ours.read(&challenge, "ada", now + Span::from_secs(60)).is_none());
    assert!(ours.read(&challenge, "bob", now).is_none() && ours.read(&challenge, "Ada", now).is_none());
    assert!(same_key.read(&challenge, "ada", now).is_none(), "another zone");
    assert!(
        Challenges::new(&[2; 32], "z1 soke.localhost")
            .read(&challenge, "ada", now)
            .is_none(),
        "another key"
    );
    for place in 0..challenge.len() {
        let mut changed = challenge.clone();
        changed[place] ^= 1;
        assert!(ours.read(&changed, "ada", now).is_none(), "byte {place}");
    }
}

#[test]
fn two_challenges_differ() {
    let challenges = Challenges::new(&[1; 32], "z");
    let now = Timestamp::from_secs(0);
    let (one, two) = (
        challenges.make("ada", now).expect("made"),
        challenges.make("ada", now).expect("made"),
    );
    assert_ne!(one, two);
    let pair = Ed25519KeyPair::generate().expect("a key");
    assert!(verify(pair.public_key().as_ref(), &one, pair.sign(&one).as_ref()));
    assert!(!verify(
        pair.public_key().as_ref(),
        &two,
        pair.sign(&one).as_ref()
    ));
}
