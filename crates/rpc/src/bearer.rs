//! The bearer token of a call, taken from its metadata under strict rules.
//!
//! What it leaves to others: whose token it is (`access`). The rules are those of RFC 6750, section 2.1, made
//! narrower: one entry only, so that no two parts of the house can read two different tokens.

use http::header::AUTHORIZATION;
use tonic::metadata::MetadataMap;
use zeroize::Zeroizing;

use crate::Error;

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 4096;

/// Holds a caller's token. It is never printed, and its memory is cleared when it goes.
pub struct Bearer(Zeroizing<String>);

impl Bearer {
    /// The token, for the one who checks it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The token as text, for a type that clears it in turn.
    #[must_use]
    pub fn into_text(mut self) -> String {
        std::mem::take(&mut *self.0)
    }
}

/// Reads the bearer token of a call; `None` when the call carries no `authorization` at all.
///
/// # Errors
/// Unauthenticated when there are two entries, another scheme, no token, a token over 4 KiB or one with
/// bytes that no token has. The text never holds a part of the value.
pub fn bearer(metadata: &MetadataMap) -> Result<Option<Bearer>, Error> {
    let mut entries = metadata.get_all(AUTHORIZATION.as_str()).iter();
    let Some(entry) = entries.next() else {
        return Ok(None);
    };
    if entries.next().is_some() {
        return Err(refuse("is there more than once"));
    }
    let text = entry
        .to_str()
        .map_err(|_not_ascii| refuse("has bytes that are not ASCII text"))?;
    let Some((scheme, token)) = text.split_once(' ') else {
        return Err(refuse("has no scheme and token"));
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refuse("has another scheme than Bearer"));
    }
    let token = token.trim_matches(' ');
    if token.is_empty() {
        return Err(refuse("has an empty token"));
    }
    if token.len() > LONGEST {
        return Err(refuse("has a token over 4096 bytes"));
    }
    // To the end, whatever is found: a loop that may stop early looks at one byte at a time, and tokens are long.
    if !token.bytes().fold(true, |good, byte| good & is_token_byte(byte)) {
        return Err(refuse("has a token with bytes that no token has"));
    }
    Ok(Some(Bearer(Zeroizing::new(token.to_owned()))))
}

fn refuse(fault: &'static str) -> Error {
    Error::Authorization { fault }
}

/// The `b64token` letters of RFC 6750.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests {
    use model::ErrorKind;
    use tonic::metadata::{MetadataMap, MetadataValue};

    use super::bearer;

    fn with(values: &[&str]) -> MetadataMap {
        let mut map = MetadataMap::new();
        for value in values {
            map.append("authorization", MetadataValue::try_from(*value).unwrap());
        }
        map
    }

    #[test]
    fn one_entry_with_a_token_is_read_whatever_the_case_of_its_scheme() {
        for value in [
            "Bearer abc.DEF-1_2~+/=",
            "bearer abc.DEF-1_2~+/=",
            "BEARER  abc.DEF-1_2~+/= ",
        ] {
            let token = bearer(&with(&[value])).unwrap().unwrap();
            assert_eq!(token.expose(), "abc.DEF-1_2~+/=");
            assert_eq!(token.into_text(), "abc.DEF-1_2~+/=");
        }
        assert!(bearer(&MetadataMap::new()).unwrap().is_none());
    }

    #[test]
    fn anything_else_is_unauthenticated_and_the_text_holds_nothing_of_it() {
        let long = format!("Bearer {}", "canary".repeat(700));
        for values in [
            &["Bearer canary", "Bearer canary"][..],
            &["Basic canary"],
            &["Bearercanary"],
            &["Bearer "],
            &["Bearer"],
            &["Bearer canary canary"],
            &["Bearer canary,canary"],
            &["Bearer \"canary\""],
            &[""],
            &[&long],
        ] {
            let Err(error) = bearer(&with(values)) else {
                panic!("{values:?} was read");
            };
            assert_eq!(error.kind(), ErrorKind::Unauthenticated);
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }
}
