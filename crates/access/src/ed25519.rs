//! The one strict Ed25519 verifier, and the challenges that keys sign.
//!
//! Stricter than RFC 8032 asks: a key or a signature's point of small order, or in any but its one canonical
//! form, is refused, since under such a key one signature may fit many messages. What it leaves to others: whose
//! a key is, and whether a challenge was answered before (`sign_in`).

use aws_lc_rs::{
    hmac,
    signature::{ED25519, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{Span, Timestamp};

use crate::{Error, digest};

/// How long a challenge can be answered.
const LIFE: Span = Span::from_secs(60);
const FIRST_LINE: &str = "Soke sign-in challenge 1";

/// The y coordinates of all points whose order divides 8, little endian, sign bit clear. A point with the same y
/// and the other sign is of small order too.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
];

/// Tells whether 32 bytes are the canonical form of a point's y with a sign bit, not of small order.
fn sound_point(bytes: &[u8; 32]) -> bool {
    let mut y = *bytes;
    y[31] &= 0x7f;
    // p = 2^255 - 19; a y from p on is a second form of a smaller one.
    let beyond = y[31] == 0x7f && y[1..31].iter().all(|byte| *byte == 0xff) && y[0] >= 0xed;
    !beyond && !SMALL_ORDER.contains(&y)
}

/// Takes 32 bytes for a public key where they can be one.
///
/// # Errors
/// Nothing but the fact: of the wrong length, not canonical, or of small order.
pub(crate) fn public_key(bytes: &[u8]) -> Option<[u8; 32]> {
    let key: [u8; 32] = bytes.try_into().ok()?;
    sound_point(&key).then_some(key)
}

/// Tells whether `signature` over `message` is good under `key`.
pub(crate) fn verify(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Some(key) = public_key(key) else { return false };
    let point = signature.first_chunk::<32>();
    let sound = signature.len() == 64 && point.is_some_and(sound_point);
    sound
        && UnparsedPublicKey::new(&ED25519, key)
            .verify(message, signature)
            .is_ok()
}

/// The key under which challenges are marked as ours, and the zone they name.
pub(crate) struct Challenges {
    key: hmac::Key,
    zone: String,
}

/// A challenge that is ours, for this user, and not over.
pub(crate) struct Answered {
    /// The hash under which it is remembered as answered.
    pub(crate) hash: String,
    /// When it ends by itself.
    pub(crate) expires_at: Timestamp,
}

impl Challenges {
    /// Marks with this key, for this zone.
    pub(crate) fn new(key: &[u8], zone: &str) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            zone: zone.to_owned(),
        }
    }

    /// Makes a challenge for a name, whether or not somebody has it. Nothing is stored.
    pub(crate) fn make(&self, user_name: &str, now: Timestamp) -> Result<Vec<u8>, Error> {
        let nonce = digest::random_text()?;
        let (zone, ends) = (&self.zone, (now + LIFE).secs());
        let body = format!(
            "{FIRST_LINE}\nzone: {zone}\nuser: {user_name}\nnonce: {}\nends: {ends}\n",
            nonce.expose()
        );
        let mark = URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, body.as_bytes()));
        Ok(format!("{body}mark: {mark}\n").into_bytes())
    }

    /// Reads a challenge back: ours, unchanged, for this name, and not over at `now`.
    pub(crate) fn read(&self, challenge: &[u8], user_name: &str, now: Timestamp) -> Option<Answered> {
        let text = std::str::from_utf8(challenge).ok()?;
        let (body, mark) = text.strip_suffix('\n')?.split_once("mark: ")?;
        let mark = URL_SAFE_NO_PAD.decode(mark).ok()?;
        hmac::verify(&self.key, body.as_bytes(), &mark).ok()?;
        let mut lines = body.lines();
        let ours = lines.next() == Some(FIRST_LINE)
            && lines.next()?.strip_prefix("zone: ") == Some(self.zone.as_str())
            && lines.next()?.strip_prefix("user: ") == Some(user_name)
            && lines.next()?.starts_with("nonce: ");
        let ends = lines.next()?.strip_prefix("ends: ")?.parse().ok()?;
        let expires_at = Timestamp::from_secs(ends);
        (ours && now < expires_at).then(|| Answered {
            hash: digest::sha256_hex(challenge),
            expires_at,
        })
    }
}

#[cfg(test)]
mod tests;
