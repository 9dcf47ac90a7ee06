//! An open listener: its address is taken, nobody is served yet.
//!
//! What it leaves to others: accepting ([`crate::serve()`]).

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::{Error, ListenAddress, TlsSource, link::Door};

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
    pub(crate) links: Option<Door>,
    pub(crate) strict: bool,
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
            links: None,
            strict: false,
        })
    }

    /// Takes HTTP/1.1 only, and only requests that cannot be read in two ways; for a listener that hands requests
    /// on to other programs. Each request carries an [`crate::Upgrading`] then.
    #[must_use]
    pub const fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Takes links too, through this door. They come over TLS only.
    #[must_use]
    pub fn with_links(mut self, door: Door) -> Self {
        self.links = Some(door);
        self
    }

    /// The address that was taken, with the real port where port 0 was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}
