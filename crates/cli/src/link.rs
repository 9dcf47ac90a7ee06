//! The one-time sign-in link: where the zone is, how its certificate is known, and a code that is good once.
//!
//! Code and fingerprint stand behind the `#`, which a browser never sends. What it leaves to others: making and
//! judging the code (`access`), and the page at that address (`gateway`).

use std::{fmt, net::SocketAddr};

/// A link. Its Display holds the code: it is for the person who signs in, never for a log.
#[derive(Clone, PartialEq, Eq)]
pub struct SignInLink {
    /// Host and port.
    pub address: String,
    /// The one-time code.
    pub code: String,
    /// SHA-256 of the zone's CA certificate.
    pub ca_fingerprint: String,
}

impl SignInLink {
    /// Reads a link; nothing where the text is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))?;
        let (address, rest) = rest.split_once('/')?;
        let fields = rest.strip_prefix('#')?;
        let field = |name: &str| {
            fields
                .split('&')
                .filter_map(|field| field.split_once('='))
                .find(|&(own, _value)| own == name)
                .map(|(_name, value)| value.to_owned())
        };
        Some(Self {
            address: address.to_owned(),
            code: field("code")?,
            ca_fingerprint: field("ca")?,
        })
    }
}

/// Over loopback a browser opens the link without a certificate warning.
impl fmt::Display for SignInLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loopback = self
            .address
            .parse::<SocketAddr>()
            .is_ok_and(|address| address.ip().is_loopback());
        let scheme = if loopback { "http" } else { "https" };
        let Self {
            address,
            code,
            ca_fingerprint,
        } = self;
        write!(f, "{scheme}://{address}/#code={code}&ca={ca_fingerprint}")
    }
}

#[cfg(test)]
mod tests {
    use super::SignInLink;

    #[test]
    fn a_link_is_read_as_it_was_written() {
        for address in ["127.0.0.1:7443", "[::1]:7443", "192.0.2.7:443"] {
            let link = SignInLink {
                address: address.to_owned(),
                code: "c0de".to_owned(),
                ca_fingerprint: "sha256:ab".to_owned(),
            };
            assert!(
                SignInLink::parse(&link.to_string()) == Some(link.clone()),
                "{address}"
            );
        }
    }

    #[test]
    fn other_texts_are_no_links() {
        for text in [
            "",
            "c0de",
            "http://h/",
            "http://h/#code=1",
            "ftp://h/#code=1&ca=2",
            "http://h#code=1&ca=2",
        ] {
            assert!(SignInLink::parse(text).is_none(), "{text}");
        }
    }
}
