//! The text of a join token: what it is for, whom its bearer may show it to, and the secret.
//!
//! What it leaves to others: whether it is good (`join`).

use std::str::FromStr;

use access::Secret;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::{Error, TokenFault};

/// How tokens for nodes begin; a token for something else begins otherwise.
const NODE: &str = "soke-node";
/// The characters of the secret: 256 bits.
const SECRET_LENGTH: usize = 43;

/// A join token, `soke-node.<fingerprint of the zone's authority>.<secret>`. A machine reads the fingerprint and
/// shows the token to nobody else; the zone keeps only the secret's SHA-256.
pub struct TokenText {
    fingerprint: String,
    secret: Secret,
}

impl TokenText {
    /// Draws a token for the zone whose authority has this fingerprint, 64 lower-case hex digits.
    #[must_use]
    pub fn draw(fingerprint: &str) -> Self {
        let bytes: [u8; 32] = rand::random();
        Self {
            fingerprint: fingerprint.to_owned(),
            secret: Secret::from(URL_SAFE_NO_PAD.encode(bytes)),
        }
    }

    /// SHA-256 of the certificate of the only authority that may see the token, 64 lower-case hex digits.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The whole text, to be shown once.
    #[must_use]
    pub fn text(&self) -> Secret {
        Secret::from(format!("{NODE}.{}.{}", self.fingerprint, self.secret.expose()))
    }

    /// What is stored of it.
    pub(crate) fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.secret.expose().as_bytes()))
    }
}

impl FromStr for TokenText {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |fault| Error::Token { fault };
        let mut parts = text.trim().splitn(3, '.');
        let (kind, fingerprint, secret) = (parts.next(), parts.next(), parts.next());
        let (Some(kind), Some(fingerprint), Some(secret)) = (kind, fingerprint, secret) else {
            return Err(refuse(TokenFault::Unknown));
        };
        if kind != NODE {
            let other = kind.starts_with("soke-");
            return Err(refuse(if other {
                TokenFault::OtherKind
            } else {
                TokenFault::Unknown
            }));
        }
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_secret = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let good = fingerprint.len() == 64
            && fingerprint.bytes().all(is_hex)
            && secret.len() == SECRET_LENGTH
            && secret.bytes().all(is_secret);
        if !good {
            return Err(refuse(TokenFault::Unknown));
        }
        Ok(Self {
            fingerprint: fingerprint.to_owned(),
            secret: Secret::from(secret.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::TokenText;
    use crate::{Error, TokenFault};

    fn fault(text: &str) -> TokenFault {
        match text.parse::<TokenText>() {
            Err(Error::Token { fault }) => fault,
            Ok(_) | Err(_) => panic!("taken, or another fault: {text}"),
        }
    }

    #[test]
    fn a_token_comes_back_from_its_text() {
        let fingerprint = "0a".repeat(32);
        let token = TokenText::draw(&fingerprint);
        let text = token.text();
        let again: TokenText = format!(" {}\n", text.expose()).parse().unwrap();
        assert_eq!(
            (again.fingerprint(), again.hash()),
            (fingerprint.as_str(), token.hash())
        );
        assert_eq!(text.expose().len(), 9 + 1 + 64 + 1 + 43);
        assert_ne!(TokenText::draw(&fingerprint).hash(), token.hash());
    }

    #[test]
    fn j06_a_text_that_is_no_token_for_a_node_is_refused() {
        let good = TokenText::draw(&"0a".repeat(32)).text();
        let good = good.expose();
        let cases = [
            (good.replace("soke-node", "soke-server"), TokenFault::OtherKind),
            (good.replace("soke-node", "node"), TokenFault::Unknown),
            (good[..good.len() - 1].to_owned(), TokenFault::Unknown),
            (format!("{good}A"), TokenFault::Unknown),
            (good.replace("0a", "0A"), TokenFault::Unknown),
            (good.replacen('.', "", 1), TokenFault::Unknown),
            (String::new(), TokenFault::Unknown),
            ("..".to_owned(), TokenFault::Unknown),
            ("a".repeat(1 << 20), TokenFault::Unknown),
        ];
        for (text, wanted) in cases {
            assert_eq!(fault(&text), wanted);
        }
    }
}
