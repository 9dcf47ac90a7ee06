//! Tokens taken apart: compact JWS with the claims of every generation of this protocol.
//!
//! Reading proves nothing: who signed, with which key, and whether the session stands is for `access`. What it
//! leaves to others: signatures and time.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, de::Error as _};

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 4096;

/// Says why a text is no token that can be looked at. It never holds any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// Not three parts of base64url between dots, or longer than 4096 bytes.
    #[error("read the token: not a JWT")]
    NotJwt,
    /// The header is no object with a text `alg` and, if at all, a text `kid`.
    #[error("read the token: its header is not well formed")]
    Header,
    /// The header names another algorithm than EdDSA.
    #[error("read the token: its algorithm is not EdDSA")]
    Algorithm,
    /// The claims are no object, or one of them has another type than it should.
    #[error("read the token: its claims are not well formed")]
    Claims,
}

/// A token taken apart; nothing of it is proven.
#[derive(Clone, PartialEq, Eq)]
pub struct Jwt<'a> {
    signed: &'a str,
    signature: Vec<u8>,
    /// The key id of the header, where there is one.
    pub key_id: Option<String>,
    /// The claims.
    pub claims: Claims,
}

/// What a token says. A claim that is missing or an empty text is `None`; unknown claims are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// `sub`, else `userid`: for whom it speaks.
    pub subject: Option<String>,
    /// `appid`: the app that speaks.
    pub app_id: Option<String>,
    /// `iss`: who signed.
    pub issuer: Option<String>,
    /// `exp`: its end, in seconds since the epoch.
    pub expires_at: Option<u64>,
    /// `jti`, else `nonce`: what makes it the only one.
    pub token_id: Option<String>,
    /// `aud`, the first where it is a list: for whom it was written.
    pub audience: Option<String>,
    /// `session`, as number or text.
    pub session: Option<u64>,
    /// `app_instance_id`, `<appid>@<owner>`.
    pub app_instance_id: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

#[derive(Deserialize)]
struct Written {
    sub: Option<String>,
    userid: Option<String>,
    appid: Option<String>,
    iss: Option<String>,
    exp: Option<u64>,
    jti: Option<Either>,
    nonce: Option<Either>,
    aud: Option<Audience>,
    session: Option<Either>,
    app_instance_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Either {
    Number(u64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

fn some(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

impl Either {
    fn into_text(self) -> String {
        match self {
            Either::Number(number) => number.to_string(),
            Either::Text(text) => text,
        }
    }

    fn into_number(self) -> Option<u64> {
        match self {
            Either::Number(number) => Some(number),
            Either::Text(text) => text.parse().ok(),
        }
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let token_id = some(written.jti.map(Either::into_text));
        let audience = match written.aud {
            None => None,
            Some(Audience::One(one)) => Some(one),
            Some(Audience::Many(many)) => {
                let first = many.into_iter().next();
                Some(first.ok_or_else(|| D::Error::custom("an empty list as audience"))?)
            }
        };
        let session = match written.session {
            None => None,
            Some(either) => Some(either.into_number().ok_or_else(|| D::Error::custom("session"))?),
        };
        Ok(Self {
            subject: some(written.sub).or(some(written.userid)),
            app_id: some(written.appid),
            issuer: some(written.iss),
            expires_at: written.exp,
            token_id: token_id.or_else(|| some(written.nonce.map(Either::into_text))),
            audience,
            session,
            app_instance_id: some(written.app_instance_id),
        })
    }
}

fn part(text: &str) -> Result<Vec<u8>, BadToken> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_fault| BadToken::NotJwt)
}

impl<'a> Jwt<'a> {
    /// Takes a token apart: three parts, `alg` exactly `EdDSA`, claims of the right types. A claim that stands
    /// twice is refused.
    ///
    /// # Errors
    /// [`BadToken`] says which part is at fault.
    pub fn parse(token: &'a str) -> Result<Self, BadToken> {
        if token.len() > LONGEST {
            return Err(BadToken::NotJwt);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(BadToken::NotJwt)?;
        let (header, claims) = signed.split_once('.').ok_or(BadToken::NotJwt)?;
        let (header, claims, signature) = (part(header)?, part(claims)?, part(signature)?);
        let header: Header = serde_json::from_slice(&header).map_err(|_fault| BadToken::Header)?;
        if header.alg != "EdDSA" {
            return Err(BadToken::Algorithm);
        }
        Ok(Self {
            signed,
            signature,
            key_id: header.kid,
            claims: serde_json::from_slice(&claims).map_err(|_fault| BadToken::Claims)?,
        })
    }

    /// The bytes that were signed.
    #[must_use]
    pub const fn signed(&self) -> &'a [u8] {
        self.signed.as_bytes()
    }

    /// The signature, of whatever length it came.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

impl fmt::Debug for Jwt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt")
            .field("key_id", &self.key_id)
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
