//! The service account of the credential cases: a key in the JSON form that gRPC's libraries read, and the tokens that it
//! signs.
//!
//! What it leaves to others: giving tokens out (`issuer`), sending them (`client`), believing them (`server`). Tokens are
//! compact JWS (RFC 7515) with RS256 (RFC 7518), because the account files of all gRPC libraries hold an RSA key.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeyPair,
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::Timestamp;
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Error;

/// How long a token holds, in seconds.
pub(crate) const LIFE_SECS: i64 = 3600;
/// How far two clocks may differ, in seconds.
const SKEW_SECS: i64 = 60;

/// The account's file; what else it holds is not looked at.
#[derive(Deserialize)]
struct File {
    client_email: String,
    private_key: String,
    #[serde(default)]
    private_key_id: String,
    token_uri: String,
}

/// A service account with its key. Clones share the key.
#[derive(Clone)]
pub struct Account {
    email: String,
    key_id: String,
    token_uri: String,
    key: Arc<KeyPair>,
}

/// What a token says.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Claims {
    #[serde(default)]
    pub(crate) iss: String,
    #[serde(default)]
    pub(crate) sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) aud: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    #[serde(default)]
    pub(crate) iat: i64,
    #[serde(default)]
    pub(crate) exp: i64,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

impl Account {
    /// Reads a service account's JSON file: `client_email`, `private_key` (RSA, PKCS #8 as PEM) and `token_uri`.
    ///
    /// # Errors
    /// Invalid when the text is not that.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let fault = |fault| Error::Account { fault };
        let file: File = serde_json::from_str(text)
            .map_err(|_syntax| fault("it is no JSON object with client_email, private_key and token_uri"))?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(file.private_key.as_bytes())
            .map_err(|_syntax| fault("its private_key is not PKCS #8 in PEM form"))?;
        let key = KeyPair::from_pkcs8(key.secret_pkcs8_der())
            .map_err(|_rejected| fault("its private_key is no RSA key of at least 2048 bits"))?;
        Ok(Self {
            email: file.client_email,
            key_id: file.private_key_id,
            token_uri: file.token_uri,
            key: Arc::new(key),
        })
    }

    /// Who the account is.
    pub(crate) fn email(&self) -> &str {
        &self.email
    }

    /// Where it gets its tokens.
    pub(crate) fn token_uri(&self) -> &str {
        &self.token_uri
    }

    /// A token of this account, for an audience or with a scope.
    pub(crate) fn token(&self, aud: Option<String>, scope: Option<String>, now: Timestamp) -> String {
        let claims = Claims {
            iss: self.email.clone(),
            sub: self.email.clone(),
            aud,
            scope,
            iat: now.secs(),
            exp: now.secs() + LIFE_SECS,
        };
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_id });
        let claims = serde_json::to_vec(&claims).expect("texts and numbers are JSON");
        let head = URL_SAFE_NO_PAD.encode(header.to_string());
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .expect("an RSA key that was read signs into as many bytes as its modulus has");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Reads a token that this account's key has signed and that holds now. The error is what is wrong with it.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, &'static str> {
        let (signed, signature) = token.rsplit_once('.').ok_or("the token has no signature")?;
        let (head, claims) = signed.split_once('.').ok_or("the token has no claims")?;
        let decode = |part: &str| {
            URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_not_base64| "the token is not base64url")
        };
        let head: serde_json::Value =
            serde_json::from_slice(&decode(head)?).map_err(|_syntax| "the token's header is not JSON")?;
        if head["alg"] != "RS256" {
            return Err("the token is not signed with RS256");
        }
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.key.public_key().as_ref())
            .verify(signed.as_bytes(), &decode(signature)?)
            .map_err(|_wrong| "the token's signature does not hold")?;
        let claims: Claims = serde_json::from_slice(&decode(claims)?)
            .map_err(|_syntax| "the token's claims are not those of a service account")?;
        if now.secs() > claims.exp.saturating_add(SKEW_SECS)
            || now.secs() < claims.iat.saturating_sub(SKEW_SECS)
        {
            return Err("the token does not hold now");
        }
        Ok(claims)
    }
}
