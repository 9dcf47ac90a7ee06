//! Certificates for clients that dial: what stands in them, and keys that are made here for clients that make none.
//!
//! Whoever can, makes a key and keeps it (`node_key`); a key that is made here goes out once and is not kept. What it
//! leaves to others: the signature (`root`), and writing certificates down (`node`, `certificates`).

use aws_lc_rs::{
    encoding::AsBigEndian as _,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair},
};
use model::Span;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PublicKeyData as _,
};
use zeroize::Zeroizing;

use crate::{Error, NodeCertificate, Secret, ZoneRoot, root::pem};

/// The life of a certificate of a client that cannot renew it: 365 days.
pub const YEAR: Span = Span::from_secs(365 * 86_400);

/// A private key for P-256 in the form of SEC 1 (RFC 5915, section 3) up to the 32 bytes of the key itself.
const SEC1_HEAD: &[u8] = &[0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20];
/// What follows them: the name of the curve, and the head of the 65 bytes of the public key.
const SEC1_MIDDLE: &[u8] = &[
    0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0xa1, 0x44, 0x03, 0x42, 0x00,
];

/// Whom a certificate names. This zone never reads it again: it looks for the certificate itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The organization (O).
    pub organization: String,
    /// The common name (CN).
    pub common_name: String,
}

/// A certificate with the key that was made for it.
pub struct KeyedCertificate {
    /// The certificate.
    pub certificate: NodeCertificate,
    /// The private key, P-256 in the form of SEC 1, in PEM.
    pub key_pem: Secret,
    /// SHA-256 of the public key's DER form, 64 lower-case hex digits.
    pub key_fingerprint: String,
}

impl ZoneRoot {
    /// Makes a key and a certificate of [`YEAR`] for it, for a machine whose client makes no key and renews nothing. It
    /// counts once it is written down with [`crate::node::add_certificate`].
    ///
    /// # Errors
    /// `Internal` where the key cannot be made or the certificate cannot be signed.
    pub fn issue_keyed_certificate(&self, subject: &Subject) -> Result<KeyedCertificate, Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = self.sign_for_client(client(subject), &key, YEAR)?;
        Ok(KeyedCertificate {
            certificate,
            key_pem: sec1(&key)?,
            key_fingerprint: crate::digest::sha256_hex(&key.subject_public_key_info()),
        })
    }
}

/// What stands in the certificate of a client of another system.
pub(crate) fn client(subject: &Subject) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, subject.organization.as_str());
    name.push(DnType::CommonName, subject.common_name.as_str());
    params.distinguished_name = name;
    params.is_ca = IsCa::NoCa;
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    params
}

fn sec1(key: &KeyPair) -> Result<Secret, Error> {
    let refuse = || Error::Crypto {
        step: "write a private key down",
    };
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.serialized_der());
    let pair = pair.map_err(|_rejected| refuse())?;
    let private = pair
        .private_key()
        .as_be_bytes()
        .map_err(|_unspecified| refuse())?;
    let public = key.public_key_raw();
    if private.as_ref().len() != 32 || public.len() != 65 {
        return Err(refuse());
    }
    let der = Zeroizing::new([SEC1_HEAD, private.as_ref(), SEC1_MIDDLE, public].concat());
    Ok(Secret::from(pem("EC PRIVATE KEY", &der)))
}
