//! Short secrets, for clients that take 16 hexadecimal digits and nothing else: join tokens and words for machines.
//!
//! 64 random bits are enough for what ends soon, works once, or counts only beside a certificate. The zone keeps the
//! SHA-256. What it leaves to others: whether one is good (`spend`, `by_word`).

use access::Secret;
use sha2::{Digest as _, Sha256};

/// Draws 16 lower-case hexadecimal digits.
pub(crate) fn draw() -> Secret {
    let bytes: [u8; 8] = rand::random();
    Secret::from(hex::encode(bytes))
}

/// What is stored of such a secret, and looked for when one is shown.
pub(crate) fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
