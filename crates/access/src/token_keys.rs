//! The keys that sign tokens: one signs, the one before it is still good until its last token has ended.
//!
//! What it leaves to others: tokens (`token`). The private part of a key is destroyed as soon as another signs.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use model::{Span, Timestamp};
use store::{Tx, params};

use crate::{Error, digest, seal::Seal, token::Signer};

/// The topic under which new keys are announced to other servers.
pub(crate) const TOPIC: &str = "access.token_keys";

/// The keys as this process knows them.
pub(crate) struct Ring(RwLock<Arc<Keys>>);

/// One signer, and every public key that is good.
pub(crate) struct Keys {
    pub(crate) signer: Signer,
    pub(crate) made_at: Timestamp,
    good: BTreeMap<String, Good>,
}

struct Good {
    public_key: Vec<u8>,
    until: Option<Timestamp>,
}

impl Keys {
    /// The public key with this fingerprint, where it is good at `now`.
    pub(crate) fn good(&self, fingerprint: &str, now: Timestamp) -> Option<&[u8]> {
        let key = self.good.get(fingerprint)?;
        key.until
            .is_none_or(|until| now < until)
            .then_some(key.public_key.as_slice())
    }
}

impl Ring {
    pub(crate) fn new(keys: Keys) -> Self {
        Self(RwLock::new(Arc::new(keys)))
    }

    /// The keys of the moment.
    pub(crate) fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes keys that were read again.
    pub(crate) fn set(&self, keys: Keys) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }
}

fn record(fingerprint: &str) -> String {
    format!("token/{fingerprint}")
}

/// Makes a key that signs from now on. The one before it stays good for `longest`, the life of its last token.
pub(crate) fn make(tx: &mut Tx<'_>, seal: &Seal, longest: Span, now: Timestamp) -> Result<(), Error> {
    let refused = |_unspecified| Error::Crypto {
        step: "make a token key",
    };
    let pair = Ed25519KeyPair::generate().map_err(refused)?;
    let document = pair.to_pkcs8().map_err(refused)?;
    let public_key = pair.public_key().as_ref();
    let fingerprint = digest::sha256_hex(public_key)[..16].to_owned();
    let before = tx.rows("SELECT fingerprint FROM token_keys WHERE good_until IS NULL", &[])?;
    for row in before {
        let before: String = row.get(0)?;
        Seal::remove(tx, &record(&before))?;
        tx.execute(
            "UPDATE token_keys SET signs_until = ?1, good_until = ?2 WHERE fingerprint = ?3",
            params![now, now + longest, before.as_str()],
        )?;
    }
    tx.execute("DELETE FROM token_keys WHERE good_until <= ?1", params![now])?;
    seal.put(tx, &record(&fingerprint), document.as_ref(), now)?;
    tx.execute(
        "INSERT INTO token_keys (fingerprint, public_key, made_at) VALUES (?1, ?2, ?3)",
        params![fingerprint.as_str(), hex::encode(public_key), now],
    )?;
    tx.change(TOPIC, &fingerprint)?;
    Ok(())
}

/// Reads the keys.
///
/// # Errors
/// `Internal` where there is no signer, or a key is not as it was stored.
pub(crate) fn read(tx: &mut Tx<'_>, seal: &Seal) -> Result<Keys, Error> {
    let broken = || Error::Row { what: "token key" };
    let rows = tx.rows(
        "SELECT fingerprint, public_key, made_at, good_until FROM token_keys",
        &[],
    )?;
    let (mut good, mut signer) = (BTreeMap::new(), None);
    for row in rows {
        let (fingerprint, public_key): (String, String) = (row.get(0)?, row.get(1)?);
        let until: Option<Timestamp> = row.get(3)?;
        let public_key = hex::decode(public_key).map_err(|_bad_hex| broken())?;
        if until.is_none() {
            let document = seal.open(tx, &record(&fingerprint))?.ok_or_else(broken)?;
            let pair = Ed25519KeyPair::from_pkcs8(&document).map_err(|_rejected| broken())?;
            if pair.public_key().as_ref() != public_key.as_slice() {
                return Err(broken());
            }
            signer = Some((
                Signer {
                    fingerprint: fingerprint.clone(),
                    pair,
                },
                row.get(2)?,
            ));
        }
        good.insert(fingerprint, Good { public_key, until });
    }
    let (signer, made_at) = signer.ok_or_else(broken)?;
    Ok(Keys {
        signer,
        made_at,
        good,
    })
}

/// Tells whether a key with this fingerprint is stored.
pub(crate) fn is_known(tx: &mut Tx<'_>, fingerprint: &str) -> Result<bool, Error> {
    Ok(tx
        .row(
            "SELECT 1 FROM token_keys WHERE fingerprint = ?1",
            params![fingerprint],
        )?
        .is_some())
}
