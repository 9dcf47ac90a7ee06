//! Hosts that callers want to be forwarded to: only in a zone for trying clients out, and in memory only.
//!
//! Under `--test` the document's type 3 takes a host such as `http://127.0.0.1:9000` for the address of a manifest,
//! and forwards to it. What it leaves to others: reaching it (`gateway`).

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use http::Uri;
use model::{NodeId, ServiceId, Timestamp, UserId};

use crate::Endpoint;

/// The most callers that are remembered.
const MOST: usize = 1_000;

/// A host to forward to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// Whether it is spoken to with TLS.
    pub secure: bool,
    /// Its name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

impl Origin {
    /// Host and port as a request names them: the port is left out where it is the usual one.
    #[must_use]
    pub fn authority(&self) -> String {
        let usual = if self.secure { 443 } else { 80 };
        let text = self.to_string();
        let (_scheme, authority) = text.split_once("://").unwrap_or(("", &text));
        let bare = authority.strip_suffix(&format!(":{usual}"));
        bare.filter(|_bare| self.port == usual)
            .unwrap_or(authority)
            .to_owned()
    }

    /// Reads `http://host`, `https://host:port` or `//host`; path and query do not count, as in the contract.
    pub(crate) fn read(text: &str) -> Result<Self, &'static str> {
        const WANT: &str = "the host to forward to is not like http://127.0.0.1:9000";
        let text = text
            .strip_prefix("//")
            .map_or(text.to_owned(), |rest| format!("http://{rest}"));
        let uri: Uri = text.parse().map_err(|_fault| WANT)?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(WANT),
        };
        let authority = uri.authority().filter(|whole| !whole.as_str().contains('@'));
        let authority = authority.ok_or(WANT)?;
        let bare = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => Some(if secure { 443 } else { 80 }),
            Some(_port) => authority.port_u16().filter(|port| *port > 0),
            None => None,
        };
        match port {
            Some(port) if !bare.is_empty() => Ok(Self {
                secure,
                host: bare.to_ascii_lowercase(),
                port,
            }),
            _ => Err(WANT),
        }
    }
}

/// Who wants to be forwarded where.
#[derive(Debug, Default)]
pub(crate) struct Targets(Mutex<BTreeMap<UserId, (Endpoint, Origin)>>);

impl Targets {
    /// Remembers where a user is to be forwarded to. False where there is no room for one more.
    pub(crate) fn set(&self, user: UserId, origin: Origin, now: Timestamp) -> bool {
        let mut targets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if targets.len() >= MOST && !targets.contains_key(&user) {
            return false;
        }
        let endpoint = Endpoint {
            node: NodeId::fresh(now),
            service: ServiceId::fresh(now),
            port: origin.port,
        };
        targets.insert(user, (endpoint, origin));
        true
    }

    /// Where a user is forwarded to.
    pub(crate) fn of(&self, user: UserId) -> Option<(Endpoint, Origin)> {
        let targets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        targets.get(&user).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::Origin;

    #[test]
    fn a_host_is_read_from_a_url_and_nothing_else() {
        for (text, wanted) in [
            ("https://www.example.org", "https://www.example.org:443"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("http://127.0.0.1:9000/path?query", "http://127.0.0.1:9000"),
            ("//Example.org", "http://example.org:80"),
            ("http://[::1]:81", "http://[::1]:81"),
        ] {
            assert_eq!(Origin::read(text).expect("a host").to_string(), wanted);
        }
        for (text, authority) in [
            ("https://www.example.org", "www.example.org"),
            ("https://www.example.org:80", "www.example.org:80"),
            ("http://[::1]:80", "[::1]"),
            ("http://a:8080", "a:8080"),
        ] {
            assert_eq!(Origin::read(text).expect("a host").authority(), authority);
        }
        for text in [
            "",
            "x",
            "127.0.0.1:8080",
            "ftp://example.org",
            "file:///etc/passwd",
            "http://",
            "http://:80",
            "http://a:0",
            "http://a:b",
            "http://a:99999",
            "http://user@a",
            "http://a b",
            "javascript:alert(1)",
        ] {
            assert!(Origin::read(text).is_err(), "{text}");
        }
    }
}
