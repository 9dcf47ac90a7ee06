//! Which hosts a request may ask for.
//!
//! A web page can make a browser send requests here under a name of its own that points to this machine; the name
//! then is the page's, and that gives it away. What it leaves to others: routing, which goes by the path alone.

use std::{collections::BTreeSet, net::IpAddr};

use http::{Request, header, uri::Authority};
use rpc::PeerInfo;

/// The name under which containers know the machine that they run on.
const CONTAINER_HOST: &str = "host.docker.internal";

/// The names under which the doors answer.
#[derive(Debug)]
pub(crate) struct Hosts {
    zone: String,
    names: BTreeSet<String>,
}

/// What is wrong with the host of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is none, there are two that differ, or it is not one.
    Malformed,
    /// It is somebody else's.
    NotOurs,
}

impl Hosts {
    /// Takes the zone's names, its own first.
    pub(crate) fn new(names: &[String]) -> Self {
        let usual = ["localhost", CONTAINER_HOST].map(str::to_owned);
        Self {
            zone: names.first().cloned().unwrap_or_else(|| "localhost".to_owned()),
            names: names.iter().cloned().chain(usual).collect(),
        }
    }

    /// Passes where the request asks for one of our hosts: a name of the zone, a label below the zone's name, this
    /// machine, or the address that the connection came to.
    pub(crate) fn check<B>(&self, request: &Request<B>, peer: &PeerInfo) -> Result<(), Fault> {
        let mut headers = request.headers().get_all(header::HOST).iter();
        let header = headers.next().map(|value| value.to_str().ok().and_then(name_of));
        if headers.next().is_some() {
            return Err(Fault::Malformed);
        }
        let target = request
            .uri()
            .authority()
            .map(|authority| name_of(authority.as_str()));
        let name = match (target, header) {
            (Some(Some(target)), Some(Some(header))) if target == header => target,
            (Some(Some(name)), None) | (None, Some(Some(name))) => name,
            _ => return Err(Fault::Malformed),
        };
        if self.is_ours(&name, peer) {
            Ok(())
        } else {
            Err(Fault::NotOurs)
        }
    }

    fn is_ours(&self, name: &str, peer: &PeerInfo) -> bool {
        if self.names.contains(name) {
            return true;
        }
        if let Ok(address) = name.parse::<IpAddr>() {
            let address = address.to_canonical();
            return address.is_loopback() || peer.local.ip().to_canonical() == address;
        }
        let label = name.strip_suffix(&self.zone);
        let label = label.and_then(|label| label.strip_suffix(['.', '-']));
        label.is_some_and(|label| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            !label.is_empty() && label.bytes().all(fits)
        })
    }
}

/// The name in an authority: lower case, without port, brackets and final dot.
fn name_of(text: &str) -> Option<String> {
    let authority: Authority = text.parse().ok()?;
    let host = authority.host();
    let port = text.strip_prefix(host)?;
    let port_fits = port.is_empty() || authority.port_u16().is_some();
    let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let name = name.unwrap_or_else(|| host.strip_suffix('.').unwrap_or(host));
    (port_fits && !name.is_empty() && name.len() <= 253).then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::Request;
    use rpc::PeerInfo;

    use super::{Fault, Hosts};

    fn check(target: &str, hosts: &[&str]) -> Result<(), Fault> {
        let peer = PeerInfo {
            address: "192.0.2.9:5".parse().unwrap(),
            local: "192.0.2.7:3180".parse().unwrap(),
            tls: false,
            server_name: None,
            certificates: Arc::default(),
        };
        let mut request = Request::post(target);
        for host in hosts {
            request = request.header("host", *host);
        }
        let names = ["zone.example".to_owned(), "other.example".to_owned()];
        Hosts::new(&names).check(&request.body(()).unwrap(), &peer)
    }

    #[test]
    fn our_own_hosts_pass_and_no_others() {
        for host in [
            "zone.example",
            "ZONE.example:3180",
            "zone.example.",
            "other.example",
            "files.zone.example",
            "files-ada.zone.example",
            "sys-zone.example",
            "127.0.0.1:3180",
            "127.9.9.9",
            "[::1]:3180",
            "localhost:3180",
            "host.docker.internal:3180",
            "192.0.2.7:3180",
        ] {
            assert_eq!(check("/kapi/x", &[host]), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "zone.example.evil.example",
            "a.b.zone.example",
            ".zone.example",
            "evilzone.example",
            "192.0.2.8",
            "files.other.example",
        ] {
            assert_eq!(check("/kapi/x", &[host]), Err(Fault::NotOurs), "{host}");
        }
        for hosts in [
            &[][..],
            &[""],
            &["zone.example", "zone.example"],
            &["a@zone.example"],
            &["zone.example:http"],
            &["zone.example/"],
            &["[::1"],
        ] {
            assert_eq!(check("/kapi/x", hosts), Err(Fault::Malformed), "{hosts:?}");
        }
    }

    #[test]
    fn an_absolute_target_names_the_host_and_agrees_with_the_header() {
        let target = "http://zone.example/kapi/x";
        assert_eq!(check(target, &["zone.example"]), Ok(()));
        assert_eq!(check(target, &[]), Ok(()));
        assert_eq!(check(target, &["other.example"]), Err(Fault::Malformed));
        assert_eq!(check("http://evil.example/kapi/x", &[]), Err(Fault::NotOurs));
    }
}
