//! Random bytes and SHA-256, in the forms in which this room stores them.
//!
//! What it leaves to others: passwords, which need a slow hash (`password`).

use aws_lc_rs::{digest, rand};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Error, Secret};

/// `N` random bytes from the system's generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let filled = rand::fill(&mut bytes);
    filled.map(|()| bytes).map_err(|_unspecified| Error::Crypto {
        step: "draw random bytes",
    })
}

/// A fresh text of 256 random bits, 43 characters that need no escaping in an address.
pub(crate) fn random_text() -> Result<Secret, Error> {
    Ok(Secret::from(URL_SAFE_NO_PAD.encode(random::<32>()?)))
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let hash = digest::digest(&digest::SHA256, bytes);
    let mut out = [0; 32];
    out.copy_from_slice(hash.as_ref());
    out
}

/// SHA-256 as 64 lower-case hex digits: how random tokens are stored.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(sha256(bytes))
}
