//! The texts that a wallet signs for this zone: to sign in, or to be linked to a user.
//!
//! The form is EIP-4361's: it names the zone's host, the wallet, what it is for, a nonce, when it was made and when it
//! ends. The zone makes the text and marks it in its nonce; when it comes back it is made again from its parts, and
//! any other byte than that is refused, so that another domain, chain, purpose or line break cannot slip in. Nothing is
//! stored until a text is used. What it leaves to others: the signature under it, and its single use.

use aws_lc_rs::hmac;
use model::{Span, Timestamp};
use subtle::ConstantTimeEq as _;

use crate::{Error, WalletAddress, digest};

/// How long a text can be used: a person reads it, on another device perhaps.
const LIFE: Span = Span::from_secs(5 * 60);
/// The hex digits of the random part of a nonce, and of the mark behind it.
const RANDOM: usize = 32;
const MARK: usize = 32;

/// What a wallet's signature is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose<'a> {
    /// To open a session.
    SignIn,
    /// To be a credential of the user of this name from now on.
    Link(&'a str),
}

/// Makes the texts of one zone and knows them again.
pub(crate) struct Messages {
    key: hmac::Key,
    host: String,
    zone_id: String,
}

/// A text that is ours, for this purpose, and not over.
pub(crate) struct Known {
    /// The wallet that it names.
    pub(crate) address: WalletAddress,
    /// The hash under which it is remembered as used.
    pub(crate) hash: String,
    /// When it ends by itself.
    pub(crate) ends_at: Timestamp,
}

fn date(at: Timestamp) -> Result<String, Error> {
    let at = jiff::Timestamp::from_second(at.secs());
    at.map(|at| at.to_string())
        .map_err(|_out_of_range| Error::Row { what: "instant" })
}

impl Messages {
    /// For the zone of this id and host, marked with this key.
    pub(crate) fn new(key: &[u8], host: &str, zone_id: &str) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            host: host.to_owned(),
            zone_id: zone_id.to_owned(),
        }
    }

    /// Makes a text for a wallet.
    pub(crate) fn make(
        &self,
        address: WalletAddress,
        purpose: Purpose<'_>,
        now: Timestamp,
    ) -> Result<String, Error> {
        self.text(address, purpose, &hex::encode(digest::random::<16>()?), now)
    }

    fn text(
        &self,
        address: WalletAddress,
        purpose: Purpose<'_>,
        random: &str,
        made_at: Timestamp,
    ) -> Result<String, Error> {
        let (host, zone, address) = (&self.host, &self.zone_id, address.with_capitals());
        let (made, ends) = (date(made_at)?, date(made_at + LIFE)?);
        let statement = match purpose {
            Purpose::SignIn => format!("Sign in to the Soke zone {zone}."),
            Purpose::Link(user) => {
                format!("Let this wallet sign in as the user {user} of the Soke zone {zone} from now on.")
            }
        };
        let with_nonce = |nonce: &str| {
            format!(
                "{host} wants you to sign in with your Ethereum account:\n{address}\n\n{statement}\n\n\
                 URI: https://{host}\nVersion: 1\nChain ID: 1\nNonce: {nonce}\nIssued At: {made}\n\
                 Expiration Time: {ends}"
            )
        };
        let marked = format!("wallet text\n{}", with_nonce(random));
        let mark = hex::encode(hmac::sign(&self.key, marked.as_bytes()));
        Ok(with_nonce(&format!("{random}{}", &mark[..MARK])))
    }

    /// Knows a text again that was made for this purpose and has not ended at `now`.
    pub(crate) fn read(&self, text: &str, purpose: Purpose<'_>, now: Timestamp) -> Option<Known> {
        let address: WalletAddress = text.lines().nth(1)?.parse().ok()?;
        let nonce = text.lines().find_map(|line| line.strip_prefix("Nonce: "))?;
        let made = text.lines().find_map(|line| line.strip_prefix("Issued At: "))?;
        let made: jiff::Timestamp = made.parse().ok()?;
        let made_at = Timestamp::from_secs(made.as_second());
        let random = nonce.get(..RANDOM)?;
        let ours = self.text(address, purpose, random, made_at).ok()?;
        let same: bool = ours.as_bytes().ct_eq(text.as_bytes()).into();
        let ends_at = made_at + LIFE;
        (same && now < ends_at).then(|| Known {
            address,
            hash: digest::sha256_hex(format!("wallet text\0{text}").as_bytes()),
            ends_at,
        })
    }
}

#[cfg(test)]
mod tests;
