//! The TLS side of a listener: certificate and key in, a configuration that can be swapped out.
//!
//! What it leaves to others: where certificates come from and when they are renewed (`access`).

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use crate::Error;

/// The protocols that a listener offers, best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The one choice of cryptography in the house.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A certificate chain with its private key. Debug shows neither.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Takes a chain, the server's own certificate first, and its key.
    #[must_use]
    pub const fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self { chain, key }
    }

    /// Reads both from PEM text. To be trusted by fingerprint, the chain must end with its authority.
    ///
    /// # Errors
    /// Invalid when one of them is not PEM or empty.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, Error> {
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|fault| Error::Material {
            what: "private key",
            fault: fault.to_string(),
        })?;
        Ok(Self::new(certificates(chain, "certificate chain")?, key))
    }

    pub(crate) fn into_parts(self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (self.chain, self.key)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.chain.len())
            .finish_non_exhaustive()
    }
}

/// Says whether callers are asked for a certificate.
#[derive(Debug, Clone)]
pub enum ClientCertificates {
    /// Nobody is asked.
    Unasked,
    /// Every caller must show one that these authorities (PEM) have signed.
    Required {
        /// The authorities' certificates as PEM text.
        authorities: String,
    },
}

/// Makes a listener's configuration: TLS 1.2 and 1.3, ALPN h2 and http/1.1.
///
/// # Errors
/// Invalid when chain and key do not belong together or an authority cannot be read.
pub fn server_config(identity: Identity, clients: &ClientCertificates) -> Result<Arc<ServerConfig>, Error> {
    let failed = |source| Error::Tls { source };
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let builder = match clients {
        ClientCertificates::Unasked => builder.with_no_client_auth(),
        ClientCertificates::Required { authorities } => {
            let roots = Arc::new(roots(authorities)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(|fault| Error::Material {
                what: "client authorities",
                fault: fault.to_string(),
            })?)
        }
    };
    let mut config = builder
        .with_single_cert(identity.chain, identity.key)
        .map_err(failed)?;
    if matches!(clients, ClientCertificates::Required { .. }) {
        // Who resumes a connection shows nothing, and would get in with a certificate that is no good any more.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

/// Holds the configuration of a listener. Each new connection reads it, so that a swap changes certificates
/// without touching what runs. Clones share one configuration.
#[derive(Debug, Clone)]
pub struct TlsSource(Arc<RwLock<Arc<ServerConfig>>>);

impl TlsSource {
    /// Begins with a configuration, usually from [`server_config`].
    #[must_use]
    pub fn new(config: Arc<ServerConfig>) -> Self {
        Self(Arc::new(RwLock::new(config)))
    }

    /// Replaces the configuration for all connections from now on.
    pub fn swap(&self, config: Arc<ServerConfig>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// The configuration that a connection accepted now gets.
    #[must_use]
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The certificates of a PEM text, at least one.
pub(crate) fn certificates(pem: &str, what: &'static str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let found = read.map_err(|fault| Error::Material {
        what,
        fault: fault.to_string(),
    })?;
    if found.is_empty() {
        return Err(Error::Material {
            what,
            fault: "holds no certificate in PEM form".to_owned(),
        });
    }
    Ok(found)
}

/// The certificates of a PEM text as trust anchors.
pub(crate) fn roots(pem: &str) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(pem, "authority")? {
        store.add(certificate).map_err(|source| Error::Tls { source })?;
    }
    Ok(store)
}
