//! Who is at the other end of a connection, as far as the connection itself can tell.
//!
//! What it leaves to others: who that is in the zone (`access`).

use std::{net::SocketAddr, sync::Arc};

use rustls_pki_types::CertificateDer;

/// Describes the peer of a connection. Every request that [`crate::serve()`] hands on carries one among its
/// extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerInfo {
    /// The peer's address and port.
    pub address: SocketAddr,
    /// The address and port that the peer connected to.
    pub local: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// The server name that the peer asked for in its TLS hello, in lower case.
    pub server_name: Option<Arc<str>>,
    /// The peer's own certificate chain, its own first; empty where none was asked for or given.
    pub certificates: Arc<[CertificateDer<'static>]>,
}

impl PeerInfo {
    /// Finds the peer among a request's extensions.
    #[must_use]
    pub fn of(extensions: &http::Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// Tells whether the peer is a program on this machine.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }
}
