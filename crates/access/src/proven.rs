//! Who proved to be whom, and the using up of the proof in the transaction that opens the session.
//!
//! What it leaves to others: judging proofs (`sign_in`, `password_proof`, `own_jwt`).

use std::sync::Arc;

use model::{Timestamp, UserId};
use store::{Tx, params};

use crate::{Error, Secret, WalletAddress, handshake, house::House, password_proof, wallets};

/// Who proved to be whom, to be written down with the session.
#[derive(Clone)]
pub(crate) enum Proven {
    /// This password verifier of this user was met. The stored form for password proofs goes along, to be
    /// kept where it is missing: only here and where a password is set is the password itself seen.
    Password {
        user: UserId,
        verifier: String,
        stored: Arc<Secret>,
    },
    /// This stored form of this user's password made the proof for a nonce.
    PasswordProof {
        user: UserId,
        stored: Arc<Secret>,
        once: Once,
    },
    /// This key of this user signed a login JWT.
    Jwt {
        user: UserId,
        public_key: String,
        once: Once,
    },
    /// This key of this user answered this challenge.
    Key {
        user: UserId,
        public_key: String,
        challenge: String,
        challenge_ends: Timestamp,
    },
    /// Whoever the code with this hash was made for.
    Code { hash: String },
    /// This wallet of this user signed.
    Wallet {
        user: UserId,
        address: WalletAddress,
        once: Once,
    },
    /// This wallet of this user signed the time, and was announced or has done so before.
    Handshake {
        user: UserId,
        address: WalletAddress,
        once: Once,
    },
    /// This wallet signed, was announced before, and signs in nobody yet: a guest is to be made.
    Guest { address: WalletAddress, once: Once },
    /// This zone for tests believes whoever names a wallet, or nothing at all.
    Believed { address: Option<WalletAddress> },
}

impl Proven {
    /// The word for it in sessions and the audit trail.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Proven::Password { .. } => "password",
            Proven::PasswordProof { .. } => "password proof",
            Proven::Jwt { .. } => "jwt",
            Proven::Key { .. } => "key",
            Proven::Code { .. } => "code",
            Proven::Wallet { .. } | Proven::Handshake { .. } | Proven::Guest { .. } => "wallet",
            Proven::Believed { .. } => "test",
        }
    }
}

/// What is good a single time, and is remembered until it would have ended by itself.
#[derive(Clone)]
pub(crate) struct Once {
    pub(crate) hash: String,
    pub(crate) ends_at: Timestamp,
}

impl Once {
    /// Uses it up.
    ///
    /// # Errors
    /// `Unauthenticated` where it was used before.
    pub(crate) fn spend(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let spent = tx.execute(
            "INSERT INTO answered_challenges (hash, expires_at) VALUES (?1, ?2) ON CONFLICT (hash) DO NOTHING",
            params![self.hash.as_str(), self.ends_at],
        )?;
        if spent == 1 { Ok(()) } else { Err(Error::ProofUsed) }
    }
}

/// Uses the proof up, in the transaction that opens the session. None where it is no longer good.
pub(crate) fn settle(
    tx: &mut Tx<'_>,
    house: &House,
    proven: &Proven,
    now: Timestamp,
) -> Result<Option<UserId>, Error> {
    match proven {
        Proven::Password {
            user,
            verifier,
            stored,
        } => {
            let row = tx.row(
                "SELECT verifier FROM passwords WHERE user_id = ?1",
                params![*user],
            )?;
            let present: Option<String> = row.map(|row| row.get(0)).transpose()?;
            if present.as_ref() != Some(verifier) {
                return Ok(None);
            }
            password_proof::keep_missing(tx, house, *user, stored, now)?;
            Ok(Some(*user))
        }
        Proven::PasswordProof { user, stored, once } => {
            if !password_proof::still(tx, house, *user, stored)? {
                return Ok(None);
            }
            once.spend(tx)?;
            Ok(Some(*user))
        }
        Proven::Jwt {
            user,
            public_key,
            once,
        } => {
            if !holds_key(tx, *user, public_key)? {
                return Ok(None);
            }
            once.spend(tx)?;
            Ok(Some(*user))
        }
        Proven::Key {
            user,
            public_key,
            challenge,
            challenge_ends,
        } => {
            let held = holds_key(tx, *user, public_key)?;
            let answered = tx.execute(
                "INSERT INTO answered_challenges (hash, expires_at) VALUES (?1, ?2) ON CONFLICT (hash) DO NOTHING",
                params![challenge.as_str(), *challenge_ends],
            )?;
            Ok((held && answered == 1).then_some(*user))
        }
        Proven::Code { hash } => {
            let sql = "DELETE FROM sign_in_codes WHERE hash = ?1 RETURNING user_id, expires_at";
            let Some(row) = tx.row(sql, params![hash.as_str()])? else {
                return Ok(None);
            };
            let (user, expires_at): (UserId, Timestamp) = (row.get(0)?, row.get(1)?);
            Ok((now < expires_at).then_some(user))
        }
        Proven::Wallet { user, address, once } => wallet(tx, *user, *address, once),
        Proven::Handshake { user, address, once } => {
            let user = wallet(tx, *user, *address, once)?;
            wallets::greet(tx, *address)?;
            Ok(user)
        }
        Proven::Guest { address, once } => {
            once.spend(tx)?;
            // Another server may have made the guest since.
            match wallets::holder(tx, *address)? {
                Some(user) => Ok(Some(user)),
                None => handshake::make_guest(tx, house, *address, now).map(Some),
            }
        }
        Proven::Believed { address } => handshake::believed(tx, house, *address, now).map(Some),
    }
}

/// Uses up what a wallet signed, where it is this user's.
fn wallet(
    tx: &mut Tx<'_>,
    user: UserId,
    address: WalletAddress,
    once: &Once,
) -> Result<Option<UserId>, Error> {
    if wallets::holder(tx, address)? != Some(user) {
        return Ok(None);
    }
    once.spend(tx)?;
    Ok(Some(user))
}

fn holds_key(tx: &mut Tx<'_>, user: UserId, public_key: &str) -> Result<bool, Error> {
    let row = tx.row(
        "SELECT 1 FROM user_keys WHERE public_key = ?1 AND user_id = ?2",
        params![public_key, user],
    )?;
    Ok(row.is_some())
}
