//! The key of a machine, read from its certificate request; nothing else in the request is looked at.
//!
//! What it leaves to others: the certificate that is made for it (`root`).

use rcgen::SubjectPublicKeyInfo;
use x509_parser::{certification_request::X509CertificationRequest, prelude::FromDer as _};

use crate::{Error, digest};

/// The most bytes of a certificate request.
pub const MOST_REQUEST: usize = 4096;
/// The algorithm of the only kind of key that is taken, P-256, as its key info begins (RFC 5480, section 2).
const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

/// The public P-256 key of a machine, proven to be held by whoever asked.
#[derive(Debug)]
pub struct NodeKey {
    pub(crate) public: SubjectPublicKeyInfo,
    fingerprint: String,
}

impl NodeKey {
    /// Reads the key of a certificate request (PKCS #10, DER) and checks that the request is signed with it.
    /// Names, extensions and wishes of the request are not read.
    ///
    /// # Errors
    /// `Invalid` where it is too long, not well formed, of another kind of key, or not signed with it.
    pub fn from_request(der: &[u8]) -> Result<Self, Error> {
        let refuse = |what| Error::BadRequest { what };
        if der.len() > MOST_REQUEST {
            return Err(refuse("is over 4096 bytes"));
        }
        let Ok((rest, request)) = X509CertificationRequest::from_der(der) else {
            return Err(refuse("is not well formed"));
        };
        let raw = request.certification_request_info.subject_pki.raw;
        if !rest.is_empty() {
            return Err(refuse("has bytes after its end"));
        }
        if !raw.starts_with(P256) {
            return Err(refuse("has another key than P-256"));
        }
        if request.verify_signature().is_err() {
            return Err(refuse("is not signed with its own key"));
        }
        let public = SubjectPublicKeyInfo::from_der(raw).map_err(Error::Certificate)?;
        let fingerprint = digest::sha256_hex(raw);
        Ok(Self { public, fingerprint })
    }

    /// SHA-256 of the public key's DER form, 64 lower-case hex digits.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}
