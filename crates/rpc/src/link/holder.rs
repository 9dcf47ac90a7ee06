//! The certificate that the dialling side shows, renewed without ending what stands.
//!
//! What it leaves to others: where certificates come from and when they are renewed.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{SignatureScheme, client::ResolvesClientCert, sign::CertifiedKey};

use crate::{Error, Identity, tls};

/// A certificate with its key that can be swapped: each new connection shows the present one. Clones share it.
#[derive(Clone)]
pub struct Holder(Arc<RwLock<Arc<CertifiedKey>>>);

impl Holder {
    /// Begins with this certificate.
    ///
    /// # Errors
    /// Invalid when chain and key do not belong together.
    pub fn new(identity: Identity) -> Result<Self, Error> {
        Ok(Self(Arc::new(RwLock::new(certified(identity)?))))
    }

    /// Shows another certificate from now on; connections that stand go on.
    ///
    /// # Errors
    /// Invalid when chain and key do not belong together; the one before stays then.
    pub fn swap(&self, identity: Identity) -> Result<(), Error> {
        let fresh = certified(identity)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn certified(identity: Identity) -> Result<Arc<CertifiedKey>, Error> {
    let (chain, key) = identity.into_parts();
    let certified = CertifiedKey::from_der(chain, key, &tls::provider());
    certified.map(Arc::new).map_err(|source| Error::Tls { source })
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holder").finish_non_exhaustive()
    }
}

impl ResolvesClientCert for Holder {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
