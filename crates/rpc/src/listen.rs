//! An open listener: its address is taken, nobody is served yet.
//!
//! What it leaves to others: accepting ([`crate::serve()`]).

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::{Error, ListenAddress, TlsSource};

/// Says what is spoken on a listener.
#[derive(Debug, Clone)]
pub enum Security {
    /// No encryption. Whoever asks for it has called [`ListenAddress::check_plaintext`] before.
    Plain,
    /// TLS only.
    Tls(TlsSource),
    /// TLS, and plain HTTP for peers on this machine; told apart by the first byte.
    TlsOrLocalPlain(TlsSource),
}

/// An address that is taken and waits for [`crate::serve()`].
#[derive(Debug)]
pub struct Listener {
    pub(crate) tcp: TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) security: Security,
}

impl Listener {
    /// Takes the address.
    ///
    /// # Errors
    /// Precondition when another program has it or the system refuses it.
    pub async fn bind(address: ListenAddress, security: Security) -> Result<Self, Error> {
        let wanted = address.socket_address();
        let failed = |source| Error::Listen {
            address: wanted,
            source,
        };
        let tcp = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        Ok(Self {
            tcp,
            address,
            security,
        })
    }

    /// The address that was taken, with the real port where port 0 was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}
