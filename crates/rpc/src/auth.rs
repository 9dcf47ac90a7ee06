//! What the connection of a call says about who is at its other end, in the words that gRPC uses for it.
//!
//! What it leaves to others: who that is in the zone (`access`). Property names are those of gRPC's auth
//! context: `transport_security_type`, `x509_common_name`, `x509_subject_alternative_name`, `x509_pem_cert`.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
};

use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    prelude::FromDer as _,
};

use crate::PeerInfo;

const TRANSPORT: &str = "transport_security_type";
const COMMON_NAME: &str = "x509_common_name";
const ALTERNATIVE_NAME: &str = "x509_subject_alternative_name";
const CERTIFICATE: &str = "x509_pem_cert";

/// How well what goes over a connection is kept from others, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecurityLevel {
    /// Anybody on the way can read and change it.
    None,
    /// It does not leave this machine.
    Local,
    /// It is encrypted and cannot be changed unseen.
    Private,
}

/// The security of a call's connection and the names that its peer has proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthContext {
    security: SecurityLevel,
    properties: BTreeMap<&'static str, Vec<String>>,
}

impl AuthContext {
    /// Reads it from a request's extensions; `None` where the request came over no listener.
    #[must_use]
    pub fn of(extensions: &http::Extensions) -> Option<Self> {
        PeerInfo::of(extensions).map(Self::from)
    }

    /// That of a call which came over no listener.
    pub(crate) const fn nothing() -> Self {
        Self {
            security: SecurityLevel::None,
            properties: BTreeMap::new(),
        }
    }

    /// How secure the connection is.
    #[must_use]
    pub const fn security(&self) -> SecurityLevel {
        self.security
    }

    /// Tells whether the peer has proved a name, by a certificate.
    #[must_use]
    pub fn is_peer_authenticated(&self) -> bool {
        !self.peer_identity().is_empty()
    }

    /// The names that the peer has proved: its certificate's alternative names, or its common name where there
    /// are none. Empty without a certificate.
    #[must_use]
    pub fn peer_identity(&self) -> &[String] {
        match self.property(ALTERNATIVE_NAME) {
            [] => self.property(COMMON_NAME),
            names => names,
        }
    }

    /// All values of a property; empty where it has none.
    #[must_use]
    pub fn property(&self, name: &str) -> &[String] {
        self.properties.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every property with its values.
    pub fn properties(&self) -> impl Iterator<Item = (&'static str, &[String])> {
        self.properties
            .iter()
            .map(|(name, values)| (*name, values.as_slice()))
    }
}

impl From<&PeerInfo> for AuthContext {
    fn from(peer: &PeerInfo) -> Self {
        let (security, transport) = match (peer.tls, peer.is_loopback()) {
            (true, _) => (SecurityLevel::Private, "ssl"),
            (false, true) => (SecurityLevel::Local, "local"),
            (false, false) => (SecurityLevel::None, "insecure"),
        };
        let mut properties = BTreeMap::from([(TRANSPORT, vec![transport.to_owned()])]);
        if let Some(certificate) = peer.certificates.first() {
            describe(certificate.as_ref(), &mut properties);
        }
        Self { security, properties }
    }
}

/// Adds what a certificate says. The handshake has checked it, so one that cannot be read adds nothing.
fn describe(der: &[u8], properties: &mut BTreeMap<&'static str, Vec<String>>) {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return;
    };
    let common: Vec<_> = certificate
        .subject()
        .iter_common_name()
        .filter_map(|name| name.as_str().ok().map(str::to_owned))
        .collect();
    let mut alternative = Vec::new();
    for extension in certificate.extensions() {
        if let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() {
            alternative.extend(names.general_names.iter().filter_map(text));
        }
    }
    for (name, values) in [(COMMON_NAME, common), (ALTERNATIVE_NAME, alternative)] {
        if !values.is_empty() {
            properties.insert(name, values);
        }
    }
    let text = pem::encode(&pem::Pem::new("CERTIFICATE", der));
    properties.insert(CERTIFICATE, vec![text]);
}

/// A name of a kind that identifies somebody.
fn text(name: &GeneralName<'_>) -> Option<String> {
    if let GeneralName::IPAddress(bytes) = name {
        if let Ok(four) = <[u8; 4]>::try_from(*bytes) {
            return Some(Ipv4Addr::from(four).to_string());
        }
        return <[u8; 16]>::try_from(*bytes)
            .ok()
            .map(|six| Ipv6Addr::from(six).to_string());
    }
    if let GeneralName::DNSName(name) | GeneralName::URI(name) | GeneralName::RFC822Name(name) = name {
        return Some((*name).to_owned());
    }
    None
}
