//! Access and refresh tokens: compact JWS (RFC 7515) signed with Ed25519 (RFC 8037), and their strict reader.
//!
//! The header is `{"alg":"EdDSA","kid":"verify-hub","key":"<fingerprint>"}`: the key id stays the same for ever,
//! because foreign verifiers look the key up by it, and `key` tells our own keys apart while one follows the
//! other. What it leaves to others: which keys are good now (`token_keys`) and whether the session still
//! stands (`sessions`).

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::{Error, Secret, ed25519};

/// The signer's name: the claim `iss` and the header's `kid`.
pub(crate) const ISSUER: &str = "verify-hub";
/// The longest token that is looked at, in bytes.
pub(crate) const LONGEST: usize = 4096;

/// What a token is for. A token of one use is refused for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Use {
    /// Shown with calls.
    Access,
    /// Exchanged, once, for a new pair.
    Refresh,
}

impl Use {
    /// The audience that a token of this use names: refresh tokens name the one part that takes them, so that
    /// verifiers that know no `token_use` refuse them for calls.
    const fn audience(self) -> Option<&'static str> {
        match self {
            Use::Access => None,
            Use::Refresh => Some(ISSUER),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    key: String,
}

/// What a token says. Members that are not listed are refused: only this zone writes these tokens.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claims {
    /// The user's name.
    pub(crate) sub: String,
    /// The app that acts for the user: this zone's own clients are one app, `soke`.
    pub(crate) appid: String,
    iss: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    iat: u64,
    exp: u64,
    /// Different in every token.
    pub(crate) jti: String,
    /// The session's number, below 2^53.
    pub(crate) session: u64,
    token_use: Use,
    /// The user's id.
    pub(crate) uid: UserId,
    zone: String,
    principal_kind: String,
}

impl Claims {
    /// Tells whether the token's time is not over.
    pub(crate) fn is_before_its_end(&self, now: Timestamp) -> bool {
        seconds(now) < self.exp
    }
}

/// Whose token, for how long.
pub(crate) struct Grant<'a> {
    pub(crate) zone: &'a str,
    pub(crate) user_name: &'a str,
    pub(crate) user: UserId,
    pub(crate) app_id: &'a str,
    pub(crate) session: u64,
    pub(crate) jti: String,
    pub(crate) token_use: Use,
    pub(crate) now: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// A key that signs tokens.
pub(crate) struct Signer {
    pub(crate) fingerprint: String,
    pub(crate) pair: Ed25519KeyPair,
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.secs()).unwrap_or(0)
}

impl Signer {
    /// Writes and signs a token.
    pub(crate) fn sign(&self, grant: Grant<'_>) -> Result<Secret, Error> {
        let header = Header {
            alg: "EdDSA".to_owned(),
            kid: ISSUER.to_owned(),
            key: self.fingerprint.clone(),
        };
        let claims = Claims {
            sub: grant.user_name.to_owned(),
            appid: grant.app_id.to_owned(),
            iss: ISSUER.to_owned(),
            aud: grant.token_use.audience().map(str::to_owned),
            iat: seconds(grant.now),
            exp: seconds(grant.expires_at),
            jti: grant.jti,
            session: grant.session,
            token_use: grant.token_use,
            uid: grant.user,
            zone: grant.zone.to_owned(),
            principal_kind: "user".to_owned(),
        };
        let json = |text: serde_json::Result<Vec<u8>>| {
            text.map(|text| URL_SAFE_NO_PAD.encode(text))
                .map_err(|_fault| Error::Crypto {
                    step: "write a token",
                })
        };
        let (header, claims) = (
            json(serde_json::to_vec(&header))?,
            json(serde_json::to_vec(&claims))?,
        );
        let signed = format!("{header}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        Ok(Secret::from(format!("{signed}.{signature}")))
    }
}

/// A token taken apart; nothing of it is proven yet.
pub(crate) struct Unproven<'a> {
    signed: &'a str,
    claims: &'a str,
    signature: Vec<u8>,
    /// The fingerprint of the key that it says it was signed with.
    pub(crate) fingerprint: String,
}

impl<'a> Unproven<'a> {
    /// Takes a token apart: three parts, `alg` exactly `EdDSA`, `kid` exactly ours, no other header member.
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let ours = header.alg == "EdDSA" && header.kid == ISSUER;
        ours.then_some(Self {
            signed,
            claims,
            signature,
            fingerprint: header.key,
        })
    }

    /// Proves it: signed by `key`, by this zone, for this use, and not over at `now`.
    pub(crate) fn prove(&self, key: &[u8], zone: &str, token_use: Use, now: Timestamp) -> Option<Claims> {
        if !ed25519::verify(key, self.signed.as_bytes(), &self.signature) {
            return None;
        }
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(self.claims).ok()?).ok()?;
        let good = claims.iss == ISSUER
            && claims.zone == zone
            && claims.token_use == token_use
            && claims.aud.as_deref() == token_use.audience()
            && claims.principal_kind == "user"
            && !claims.appid.is_empty()
            && claims.is_before_its_end(now);
        good.then_some(claims)
    }
}

#[cfg(test)]
mod tests;
