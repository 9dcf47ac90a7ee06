//! An address to listen on, parsed and checked before anything opens.
//!
//! What it leaves to others: the configuration key it came from, and the opening.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

use crate::{Error, error::shortened};

/// Says where to listen. A bare port number means this machine only; port 0 takes any free port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListenAddress(SocketAddr);

impl ListenAddress {
    /// A port on this machine only (127.0.0.1).
    #[must_use]
    pub const fn loopback(port: u16) -> Self {
        Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }

    /// The address and port.
    #[must_use]
    pub const fn socket_address(self) -> SocketAddr {
        self.0
    }

    /// Tells whether only this machine can reach the address.
    #[must_use]
    pub const fn is_loopback(self) -> bool {
        self.0.ip().to_canonical().is_loopback()
    }

    /// Checks that a listener without TLS may stand here.
    ///
    /// # Errors
    /// Invalid, with the reason in the text, when others can reach the address and `insecure` was not set.
    pub const fn check_plaintext(self, insecure: bool) -> Result<(), Error> {
        if self.is_loopback() || insecure {
            Ok(())
        } else {
            Err(Error::Plaintext { address: self })
        }
    }
}

impl FromStr for ListenAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |fault| Error::ListenAddress {
            text: shortened(text),
            fault,
        };
        if text.is_empty() {
            return Err(refuse("is empty"));
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let port = text
                .parse()
                .map_err(|_not_16_bits| refuse("has no port from 0 to 65535"));
            return port.map(Self::loopback);
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self(address));
        }
        if text.parse::<IpAddr>().is_ok() {
            return Err(refuse("has no port"));
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(refuse("is neither a port nor an IP address with a port"));
        };
        if port.parse::<u16>().is_err() {
            return Err(refuse("has no port from 0 to 65535"));
        }
        if host.is_empty() {
            return Err(refuse("has no IP address before the colon"));
        }
        Err(refuse("has no IP address; a name is not one"))
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self(address)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::ListenAddress;

    #[test]
    fn a_bare_port_means_this_machine_only() {
        let read = |text: &str| text.parse::<ListenAddress>().unwrap().to_string();
        let forms = [
            "7443",
            "0",
            "127.0.0.1:7443",
            "[::1]:7443",
            "0.0.0.0:7443",
            "[::]:1",
        ];
        let wanted = [
            "127.0.0.1:7443",
            "127.0.0.1:0",
            "127.0.0.1:7443",
            "[::1]:7443",
            "0.0.0.0:7443",
            "[::]:1",
        ];
        assert_eq!(forms.map(read), wanted);
    }

    #[test]
    fn a_wrong_address_is_refused_with_what_is_wrong_and_what_would_be_right() {
        for (text, says) in [
            ("", "is empty"),
            ("65536", "has no port from 0 to 65535"),
            ("99999999999999999999", "has no port from 0 to 65535"),
            ("127.0.0.1", "has no port"),
            ("::1", "has no port"),
            (":7443", "has no IP address before the colon"),
            ("localhost:7443", "a name is not one"),
            ("127.0.0.1:http", "has no port from 0 to 65535"),
            ("http", "is neither a port nor an IP address"),
            ("-1", "is neither a port nor an IP address"),
            (" 7443", "is neither a port nor an IP address"),
        ] {
            let error = text.parse::<ListenAddress>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
            assert!(error.contains("127.0.0.1:7443"), "{text}: {error}");
        }
    }

    #[test]
    fn plaintext_stands_on_loopback_or_where_it_is_asked_for_in_words() {
        for (text, insecure, allowed) in [
            ("7571", false, true),
            ("127.9.9.9:7571", false, true),
            ("[::1]:7571", false, true),
            ("[::ffff:127.0.0.1]:7571", false, true),
            ("0.0.0.0:7571", false, false),
            ("[::]:7571", false, false),
            ("192.0.2.1:7571", false, false),
            ("0.0.0.0:7571", true, true),
        ] {
            let address: ListenAddress = text.parse().unwrap();
            let checked = address.check_plaintext(insecure);
            assert_eq!(checked.is_ok(), allowed, "{text}");
            if let Err(error) = checked {
                assert!(error.to_string().contains("could drive the zone"), "{error}");
                assert!(error.to_string().contains("insecure = true"), "{error}");
            }
        }
    }
}
