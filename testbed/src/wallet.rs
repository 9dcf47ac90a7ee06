//! An Ethereum wallet whose key a test knows.
//!
//! It signs by itself, without anything of the crate under test. What it leaves to others: wallets as people have
//! them, which the whole-zone tests bring along.

use k256::ecdsa::SigningKey;
use sha3::{Digest as _, Keccak256};

/// A wallet with a key of its own.
#[derive(Debug, Clone)]
pub struct Wallet {
    key: SigningKey,
}

impl Wallet {
    /// The wallet of this number, from 1.
    ///
    /// # Panics
    /// For the number 0, which is no key.
    #[must_use]
    pub fn new(number: u8) -> Self {
        let mut bytes = [0; 32];
        bytes[31] = number;
        Self {
            key: SigningKey::from_slice(&bytes).expect("every small number but 0 is a key"),
        }
    }

    /// The address: `0x` and 40 lower-case digits.
    #[must_use]
    pub fn address(&self) -> String {
        let point = self.key.verifying_key().to_sec1_point(false);
        let hash = Keccak256::digest(&point.as_bytes()[1..]);
        format!("0x{}", hex::encode(&hash[12..]))
    }

    /// Signs the Keccak-256 of these bytes; v is 0 or 1.
    #[must_use]
    pub fn sign_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let (signature, id) = self.key.sign_prehash_recoverable(&Keccak256::digest(bytes));
        [signature.to_bytes().as_slice(), &[id.to_byte()]].concat()
    }

    /// Signs a text as wallets do for personal_sign (EIP-191); v is 27 or 28.
    #[must_use]
    pub fn sign_text(&self, text: &str) -> Vec<u8> {
        let framed = format!("\u{19}Ethereum Signed Message:\n{}{text}", text.len());
        let mut signature = self.sign_bytes(framed.as_bytes());
        if let Some(v) = signature.last_mut() {
            *v += 27;
        }
        signature
    }

    /// The signature of the plain text in the form of a parameter: `0x` and 130 digits.
    #[must_use]
    pub fn sign_plain(&self, text: &str) -> String {
        format!("0x{}", hex::encode(self.sign_bytes(text.as_bytes())))
    }
}
