//! The three keys of a machine: P-256 for TLS, Ed25519 as the device, X25519 for the overlay.
//!
//! What it leaves to others: where they are kept (`place`).

use aws_lc_rs::{
    agreement::{PrivateKey, X25519},
    encoding::{AsBigEndian, Curve25519SeedBin},
    signature::{Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use super::Error;

/// The private keys in the forms in which they are kept. They never leave the machine.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Keys {
    /// PKCS #8 in PEM.
    tls: String,
    /// PKCS #8 in base64.
    device: String,
    /// The raw scalar in base64.
    overlay: String,
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.tls.zeroize();
        self.device.zeroize();
        self.overlay.zeroize();
    }
}

/// The public keys, as a join shows them.
pub(super) struct Public {
    pub(super) certificate_request: Vec<u8>,
    pub(super) device: Vec<u8>,
    pub(super) overlay: Vec<u8>,
}

impl Keys {
    /// Draws all three.
    pub(super) fn draw() -> Result<Self, Error> {
        let refused = |step| move |_refused| Error::Keys { step };
        let tls = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256);
        let tls = tls.map_err(|_refused| Error::Keys {
            step: "make the TLS key",
        })?;
        let device = Ed25519KeyPair::generate().and_then(|key| key.to_pkcs8());
        let device = device.map_err(refused("make the device key"))?;
        let overlay = PrivateKey::generate(&X25519);
        let scalar = overlay.and_then(|key| AsBigEndian::<Curve25519SeedBin<'_>>::as_be_bytes(&key));
        let scalar = scalar.map_err(refused("make the overlay key"))?;
        Ok(Self {
            tls: tls.serialize_pem(),
            device: STANDARD.encode(device.as_ref()),
            overlay: STANDARD.encode(scalar.as_ref()),
        })
    }

    /// The TLS key in PEM.
    pub(super) fn tls_pem(&self) -> &str {
        &self.tls
    }

    /// A certificate request for the TLS key. It asks for nothing: the zone decides what is in a certificate.
    pub(super) fn certificate_request(&self) -> Result<Vec<u8>, Error> {
        let refused = |_refused| Error::Keys {
            step: "use the TLS key",
        };
        let key = KeyPair::from_pem(&self.tls).map_err(refused)?;
        let request = CertificateParams::default().serialize_request(&key);
        Ok(request.map_err(refused)?.der().to_vec())
    }

    /// What others may know.
    pub(super) fn public(&self) -> Result<Public, Error> {
        let step = |step| Error::Keys { step };
        let device = STANDARD.decode(&self.device).ok();
        let device = device.and_then(|bytes| Ed25519KeyPair::from_pkcs8(&bytes).ok());
        let device = device.ok_or_else(|| step("use the device key"))?;
        let overlay = STANDARD.decode(&self.overlay).ok();
        let overlay = overlay.and_then(|bytes| PrivateKey::from_private_key(&X25519, &bytes).ok());
        let overlay = overlay.and_then(|key| key.compute_public_key().ok());
        let overlay = overlay.ok_or_else(|| step("use the overlay key"))?;
        Ok(Public {
            certificate_request: self.certificate_request()?,
            device: device.public_key().as_ref().to_vec(),
            overlay: overlay.as_ref().to_vec(),
        })
    }
}
