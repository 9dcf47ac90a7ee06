//! Origins: scheme, host and port, compared exactly.
//!
//! What it leaves to others: what a host's name leads to (module `address`).

use std::{fmt, net::IpAddr, str::FromStr};

use http::{Uri, uri::Scheme};

use crate::Error;

/// The most bytes of an address.
const MOST_ADDRESS: usize = 4000;

/// Where manifests may come from: a scheme, a host and a port, and any path there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    is_tls: bool,
    /// Lower case; an IPv6 address without its brackets.
    host: String,
    port: u16,
}

/// Says why a text is no origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadOrigin;

impl fmt::Display for BadOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an origin is http:// or https:// with a host and perhaps a port, without path, query or user",
        )
    }
}

impl std::error::Error for BadOrigin {}

impl Origin {
    /// The origin of an address that may have a path and a query.
    fn of(uri: &Uri) -> Option<Self> {
        let is_tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        let (text, host) = (authority.as_str(), authority.host());
        if host.is_empty() || text.contains('@') {
            return None;
        }
        let port = match text.strip_prefix(host)? {
            "" if is_tls => 443,
            "" => 80,
            named => {
                let digits = named.strip_prefix(':')?;
                digits.parse().ok().filter(|&port| port > 0)?
            }
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(Self {
            is_tls,
            host: host.to_ascii_lowercase(),
            port,
        })
    }

    pub(super) const fn is_tls(&self) -> bool {
        self.is_tls
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// The address that the origin names outright.
    pub(super) fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Host and port as a request names them.
    pub(super) fn authority(&self) -> String {
        let host = match self.literal() {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            Some(IpAddr::V4(_)) | None => self.host.clone(),
        };
        let usual = if self.is_tls { 443 } else { 80 };
        if self.port == usual {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

impl FromStr for Origin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        let uri: Uri = text.parse().map_err(|_uri| BadOrigin)?;
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none() && !text.contains('#');
        Self::of(&uri).filter(|_| bare).ok_or(BadOrigin)
    }
}

/// What is asked of an allowed origin.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) origin: Origin,
    /// With the query.
    pub(super) path: String,
}

impl Target {
    /// Reads an address, where its origin is allowed.
    pub(super) fn read(url: &str, sources: &[Origin]) -> Result<Self, Error> {
        let refused = |why: String| Error::Source { why };
        if url.len() > MOST_ADDRESS {
            let why = format!("the address is longer than {MOST_ADDRESS} bytes");
            return Err(refused(why));
        }
        let uri: Option<Uri> = url.parse().ok();
        let origin = uri.as_ref().and_then(Origin::of);
        let (Some(uri), Some(origin)) = (uri, origin) else {
            let why = "an address of a manifest is http:// or https:// with a host, and without a user";
            return Err(refused(why.to_owned()));
        };
        if !sources.contains(&origin) {
            return Err(refused(format!(
                "{origin} is not among the origins that this zone allows (grid.manifest_sources); \
                `soke deploy FILE` sends a manifest instead"
            )));
        }
        let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self {
            origin,
            path: path.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
