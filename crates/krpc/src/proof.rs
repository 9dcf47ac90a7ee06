//! The password scheme of this protocol: what is stored, and what is sent instead of the password.
//!
//! The stored value is as good as the password itself, and is one fast hash without a random salt: whoever keeps
//! it keeps it sealed. What it leaves to others: keeping it, comparing proofs, and using a nonce only once.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

/// From here on a sequence number counts microseconds and not milliseconds.
const MICROS: u64 = 10_000_000_000_000;

/// The value that is stored for a user's password; a secret.
#[must_use]
pub fn stored_password(user_name: &str, password: &str) -> String {
    let mut hash = Sha256::new();
    for part in [password, user_name, ".buckyos"] {
        hash.update(part);
    }
    STANDARD.encode(hash.finalize())
}

/// The proof that its sender knows the stored value, for one nonce.
#[must_use]
pub fn password_proof(stored: &str, nonce: u64) -> String {
    let mut hash = Sha256::new();
    hash.update(stored);
    hash.update(nonce.to_string());
    STANDARD.encode(hash.finalize())
}

/// The nonce of a login in milliseconds since the epoch: the one that was given, else the sequence number of the
/// call, which some clients count in microseconds.
#[must_use]
pub const fn login_nonce(given: Option<u64>, seq: u64) -> u64 {
    match given {
        Some(nonce) => nonce,
        None if seq > MICROS => seq / 1000,
        None => seq,
    }
}

#[cfg(test)]
mod tests {
    use super::{login_nonce, password_proof, stored_password};

    /// Vector of the contract's section on the password scheme.
    #[test]
    fn the_values_are_those_that_clients_compute() {
        let stored = stored_password("alice", "pw");
        assert_eq!(stored, "0E2s4FyZNV+qZ749vWR5TM9j4nsqwTCxSmvTHvhtpKQ=");
        assert_eq!(
            password_proof(&stored, 1_700_000_000_000),
            "NpXv4HtuwUfPmk2ZqiJWnO/7HylqXWk+E991hwWdUXQ="
        );
    }

    #[test]
    fn without_a_nonce_the_sequence_number_is_one() {
        assert_eq!(login_nonce(Some(1), 2), 1);
        assert_eq!(login_nonce(None, 1_700_000_000_000), 1_700_000_000_000);
        assert_eq!(login_nonce(None, 1_700_000_000_000_000), 1_700_000_000_000);
        assert_eq!(login_nonce(None, 10_000_000_000_000), 10_000_000_000_000);
        assert_eq!(login_nonce(None, u64::MAX), u64::MAX / 1000);
    }
}
