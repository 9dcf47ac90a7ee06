//! Ethereum wallets as keys: their addresses, the two digests that they sign, and who has signed.
//!
//! A wallet proves itself by a secp256k1 signature from which its public key, and so its address, is recovered
//! (SEC 1, 4.1.6). Each signature has one accepted form but for `v`, which is 0 or 27 where the point's y is even and
//! 1 or 28 where it is odd; its twin with the other `s` (EIP-2) is refused. What it leaves to others: whose a wallet is
//! (`wallets`), and whether a text was signed before (`proven`).

pub(crate) mod message;

use std::{fmt, str::FromStr};

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use sha3::{Digest as _, Keccak256};

/// The bytes of a signature: r, s and v.
pub(crate) const SIGNATURE: usize = 65;

/// The address of a wallet: 20 bytes. Shown as `0x` and 40 lower-case digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WalletAddress([u8; 20]);

/// Says that a text is no wallet's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoWalletAddress;

impl FromStr for WalletAddress {
    type Err = NoWalletAddress;

    /// Takes `0x` or `0X` and 40 hex digits of either case. Capitals are no checksum here: what counts is who signs.
    fn from_str(text: &str) -> Result<Self, NoWalletAddress> {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let mut bytes = [0; 20];
        let decoded = hex::decode_to_slice(digits.ok_or(NoWalletAddress)?, &mut bytes);
        decoded.map(|()| Self(bytes)).map_err(|_not_hex| NoWalletAddress)
    }
}

impl fmt::Display for WalletAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", self.digits())
    }
}

impl WalletAddress {
    /// The 40 lower-case hex digits, as stored.
    pub(crate) fn digits(self) -> String {
        hex::encode(self.0)
    }

    /// `0x` and the digits with the capitals of EIP-55, which wallets want to see in a text.
    pub(crate) fn with_capitals(self) -> String {
        let digits = self.digits();
        let hash = hex::encode(keccak256(digits.as_bytes()));
        let raise = |(digit, mark): (char, char)| {
            if mark >= '8' {
                digit.to_ascii_uppercase()
            } else {
                digit
            }
        };
        let raised: String = digits.chars().zip(hash.chars()).map(raise).collect();
        format!("0x{raised}")
    }
}

/// Keccak-256 as Ethereum has it: the padding is that from before SHA-3 became a standard.
pub(crate) fn keccak256(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// The digest that a wallet signs for a text (EIP-191, version 0x45).
pub(crate) fn personal_digest(text: &str) -> [u8; 32] {
    let framed = format!("\u{19}Ethereum Signed Message:\n{}{text}", text.len());
    keccak256(framed.as_bytes())
}

/// Who has signed this digest. None for bytes that are no signature, for a second form of one, and for one from which
/// no key can be recovered.
pub(crate) fn signer(digest: &[u8; 32], signature: &[u8]) -> Option<WalletAddress> {
    let bytes: &[u8; SIGNATURE] = signature.try_into().ok()?;
    let (&v, scalars) = bytes.split_last()?;
    let is_y_odd = match v {
        0 | 27 => false,
        1 | 28 => true,
        _ => return None,
    };
    // Neither r nor s is 0 or beyond the order of the curve.
    let signature = Signature::from_slice(scalars).ok()?;
    if signature.normalize_s() != signature {
        return None;
    }
    let id = RecoveryId::new(is_y_odd, false);
    let key = VerifyingKey::recover_from_prehash(digest, &signature, id).ok()?;
    let point = key.to_sec1_point(false);
    let coordinates = point.as_bytes().get(1..)?;
    let hash = keccak256(coordinates);
    hash.last_chunk().map(|tail| WalletAddress(*tail))
}

#[cfg(test)]
mod tests;
