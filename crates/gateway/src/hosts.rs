//! Which host a request asks for, and whether that is us.
//!
//! What it leaves to others: the answer to a stranger (`gate`). A web page can make a browser send requests
//! here under a name of its own that points to this machine (DNS rebinding); the name in `Host` or
//! `:authority` then is the page's, and that is what gives it away.

use std::{collections::BTreeSet, net::IpAddr};

use http::{HeaderMap, Request, header, uri::Authority};
use rpc::PeerInfo;

use crate::Error;

/// The names under which the zone answers.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    names: BTreeSet<String>,
    first: String,
}

/// What is wrong with the host of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is none.
    Missing,
    /// It is not one, or there are two that differ.
    Malformed,
    /// It is somebody else's.
    NotOurs,
}

/// A host as compared: lower case, without final dot and brackets; and its port where it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    name: String,
    port: Option<u16>,
}

impl Hosts {
    /// Takes the zone's names, its own first.
    pub(crate) fn new(allowed: &[String]) -> Result<Self, Error> {
        let mut names = BTreeSet::from(["localhost".to_owned()]);
        for text in allowed {
            let host = parse(text).filter(|host| host.port.is_none());
            names.insert(host.ok_or_else(|| Error::Host { text: text.clone() })?.name);
        }
        let first = allowed.first().map_or("localhost", String::as_str);
        Ok(Self {
            names,
            first: first.to_ascii_lowercase(),
        })
    }

    /// The zone's own name.
    pub(crate) fn first(&self) -> &str {
        &self.first
    }

    /// The host that a request asks for, if it and the name of the TLS hello are ours.
    pub(crate) fn check<B>(&self, request: &Request<B>) -> Result<Host, Fault> {
        let peer = PeerInfo::of(request.extensions());
        let host = asked(request)?;
        if !self.ours(&host.name, peer) {
            return Err(Fault::NotOurs);
        }
        let hello = peer.and_then(|peer| peer.server_name.as_deref());
        if hello.is_some_and(|name| !self.ours(name.trim_end_matches('.'), peer)) {
            return Err(Fault::NotOurs);
        }
        Ok(host)
    }

    /// Tells whether a request that no page made asks for a host of ours in the plainest way: one name, spelled as we
    /// spell it. Most do, and need no closer look; [`Hosts::check`] would find the same.
    pub(crate) fn plainly_ours<B>(&self, request: &Request<B>) -> bool {
        let headers = request.headers();
        let Some(authority) = request.uri().authority() else {
            return false;
        };
        if headers.contains_key(header::HOST) || headers.contains_key(header::ORIGIN) {
            return false;
        }
        let host = authority.host();
        let plain = match authority.as_str().strip_prefix(host) {
            Some("") => true,
            Some(port) => port.starts_with(':') && authority.port_u16().is_some(),
            None => false,
        };
        let peer = PeerInfo::of(request.extensions());
        let hello = peer.and_then(|peer| peer.server_name.as_deref());
        plain && self.ours(host, peer) && hello.is_none_or(|name| self.ours(name, peer))
    }

    fn ours(&self, name: &str, peer: Option<&PeerInfo>) -> bool {
        if self.names.contains(name) {
            return true;
        }
        let Ok(address) = name.parse::<IpAddr>() else {
            return false;
        };
        let address = address.to_canonical();
        address.is_loopback() || peer.is_some_and(|peer| peer.local.ip().to_canonical() == address)
    }
}

/// The one host of a request: `:authority` or `Host`; where both are there, they must say the same.
fn asked<B>(request: &Request<B>) -> Result<Host, Fault> {
    let mut headers = request.headers().get_all(header::HOST).iter();
    let header = headers.next();
    if headers.next().is_some() {
        return Err(Fault::Malformed);
    }
    let header = header.map(|value| value.to_str().ok().and_then(parse).ok_or(Fault::Malformed));
    let authority = request.uri().authority();
    let authority = authority.map(|text| parse(text.as_str()).ok_or(Fault::Malformed));
    match (authority.transpose()?, header.transpose()?) {
        (Some(authority), Some(header)) if authority != header => Err(Fault::Malformed),
        (Some(host), _) | (None, Some(host)) => Ok(host),
        (None, None) => Err(Fault::Missing),
    }
}

/// Tells whether the page that made a browser send this request came from the same host and port. Requests
/// that no page made have no origin.
pub(crate) fn same_origin(headers: &HeaderMap, asked: &Host) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return true;
    };
    let text = origin.to_str().unwrap_or_default();
    let (rest, usual) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (rest, 443),
        (None, Some(rest)) => (rest, 80),
        (None, None) => return false,
    };
    let same =
        |host: Host| host.name == asked.name && host.port.unwrap_or(usual) == asked.port.unwrap_or(usual);
    origins.next().is_none() && parse(rest).is_some_and(same)
}

/// A host with or without port; nothing else may be there.
fn parse(text: &str) -> Option<Host> {
    let bare_v6 = text.parse::<std::net::Ipv6Addr>().ok();
    if let Some(address) = bare_v6 {
        return Some(Host {
            name: address.to_string(),
            port: None,
        });
    }
    let authority: Authority = text.parse().ok()?;
    let port = authority.port_u16();
    let host = authority.host();
    let without_port = match text.len() - host.len() {
        0 => port.is_none(),
        _ => port.is_some() && text.as_bytes().get(host.len()) == Some(&b':'),
    };
    if !without_port || text.contains('@') {
        return None;
    }
    let name = match host.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')?
            .parse::<std::net::Ipv6Addr>()
            .ok()?
            .to_string(),
        None => host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase(),
    };
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    let fits = !name.is_empty() && name.len() <= 253 && name.bytes().all(letter);
    fits.then_some(Host { name, port })
}

#[cfg(test)]
mod tests;
