//! A wallet made up for the story: a secp256k1 key that signs texts as wallets do.
//!
//! What it leaves to others: whose it is (the server). People have wallets of their own, and Soke never sees their keys.

use k256::ecdsa::{RecoveryId, Signature, SigningKey};
use sha3::{Digest as _, Keccak256};

/// A key and the address that follows from it.
pub(super) struct Wallet {
    key: SigningKey,
    /// `0x` and 40 lower-case hex digits.
    pub(super) address: String,
}

impl Wallet {
    /// The wallet of a key; none for the one in 2^128 numbers that is no key.
    pub(super) fn of(secret: &[u8; 32]) -> Option<Self> {
        let key = SigningKey::from_slice(secret).ok()?;
        let point = key.verifying_key().to_sec1_point(false);
        // The first byte tells the form of the point.
        let hash = Keccak256::digest(point.as_bytes().get(1..)?);
        let address = format!("0x{}", hex::encode(hash.get(12..)?));
        Some(Self { key, address })
    }

    /// Signs a text as `personal_sign` does (EIP-191, version 0x45): r, s and v.
    pub(super) fn sign(&self, text: &str) -> Vec<u8> {
        let framed = format!("\u{19}Ethereum Signed Message:\n{}{text}", text.len());
        let digest = Keccak256::digest(framed.as_bytes());
        let signed: (Signature, RecoveryId) = self.key.sign_prehash_recoverable(&digest);
        let (signature, side) = signed;
        let mut bytes = signature.to_bytes().to_vec();
        bytes.push(27 + side.to_byte());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::Wallet;

    #[test]
    fn key_one_has_the_address_that_every_wallet_gives_it() {
        let mut one = [0; 32];
        one[31] = 1;
        let wallet = Wallet::of(&one).expect("a key");
        assert_eq!(wallet.address, "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf");
        let signature = wallet.sign("1703757313");
        assert_eq!(signature.len(), 65);
        assert!([27, 28].contains(&signature[64]), "{signature:?}");
        assert!(Wallet::of(&[0; 32]).is_none());
    }
}
