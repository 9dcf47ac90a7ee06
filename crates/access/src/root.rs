//! The root of the zone: its id, its certificate authority and its owner key, made once and sealed in the store.
//!
//! What it leaves to others: the keys that sign tokens (`token_keys`), and listeners, which take the TLS settings
//! that are handed out here and renewed before they end.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use model::{Id, Name, Span, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber,
};
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use store::{Tx, params};
use tasks::Clock;
use zeroize::Zeroizing;

use crate::{Error, NodeCertificate, NodeKey, digest, seal::Seal};

const CA_KEY: &str = "ca/key";
const OWNER_KEY: &str = "owner/key";
const CHALLENGE_KEY: &str = "challenge/key";

/// How long the authority's own certificate lasts: 20 years.
const CA_LIFE: Span = Span::from_secs(20 * 365 * 86_400);
/// Certificates begin this much earlier, for machines whose clocks run behind.
const BEHIND: Span = Span::from_secs(10 * 60);

/// What this zone is, and the authority that vouches for its machines.
pub struct ZoneRoot {
    zone_id: String,
    made_at: Timestamp,
    ca_der: CertificateDer<'static>,
    ca_pem: String,
    ca_fingerprint: String,
    owner_public_key: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
    life: Span,
    clock: Clock,
}

/// A certificate for a listener, with its key.
pub struct ServerCertificate {
    /// The certificate first, then the authority's.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key, P-256.
    pub key: PrivateKeyDer<'static>,
    /// When the certificate ends.
    pub ends_at: Timestamp,
}

/// Says which certificate a listener wants of its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Asked {
    /// None.
    #[default]
    Nothing,
    /// One that the zone's authority signed, from whoever has one.
    Welcome,
    /// One that the zone's authority signed, from everybody.
    Wanted,
}

impl ServerCertificate {
    /// The TLS settings of a listener with this certificate, which offers these protocols and asks for no
    /// certificate of its callers.
    ///
    /// # Errors
    /// `Internal` where the TLS library refuses the certificate.
    pub fn settings(self, alpn: &[Vec<u8>]) -> Result<Arc<rustls::ServerConfig>, Error> {
        self.settings_asking(alpn, Asked::Nothing)
    }

    /// The TLS settings of a listener with this certificate, which offers these protocols and asks its callers for
    /// this much. That a certificate counts still is looked at with each call.
    ///
    /// # Errors
    /// `Internal` where the TLS library refuses the certificate.
    pub fn settings_asking(self, alpn: &[Vec<u8>], asked: Asked) -> Result<Arc<rustls::ServerConfig>, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = if asked == Asked::Nothing {
            builder.with_no_client_auth()
        } else {
            let mut roots = rustls::RootCertStore::empty();
            for authority in self.chain.iter().skip(1) {
                roots.add(authority.clone())?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if asked == Asked::Welcome {
                verifier.allow_unauthenticated()
            } else {
                verifier
            };
            builder.with_client_cert_verifier(verifier.build().map_err(|_no_roots| Error::Crypto {
                step: "ask callers for certificates",
            })?)
        };
        let mut settings = builder.with_single_cert(self.chain, self.key)?;
        settings.alpn_protocols = alpn.to_vec();
        Ok(Arc::new(settings))
    }
}

/// Marks ids of zones.
enum Zone {}

/// A fresh id for a zone.
pub(crate) fn fresh_zone_id(now: Timestamp) -> String {
    Id::<Zone>::fresh(now).to_string()
}

/// The records of a zone that is about to be made, drawn before the transaction.
pub(crate) struct Draft {
    ca_der: Vec<u8>,
    ca_key: Zeroizing<Vec<u8>>,
    owner_public_key: Vec<u8>,
    owner_key: Zeroizing<Vec<u8>>,
    challenge_key: Zeroizing<[u8; 32]>,
}

impl Draft {
    /// Draws the keys of a zone and signs its authority's certificate.
    pub(crate) fn draw(zone_id: &str, now: Timestamp) -> Result<Self, Error> {
        let ca_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        set_life(&mut params, now, CA_LIFE);
        params.distinguished_name = common_name(&format!("Soke zone {zone_id}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&ca_key)?;
        let refused = |_unspecified| Error::Crypto {
            step: "make the owner key",
        };
        let owner = Ed25519KeyPair::generate().map_err(refused)?;
        Ok(Self {
            ca_der: certificate.der().to_vec(),
            ca_key: Zeroizing::new(ca_key.serialize_der()),
            owner_public_key: owner.public_key().as_ref().to_vec(),
            owner_key: Zeroizing::new(owner.to_pkcs8().map_err(refused)?.as_ref().to_vec()),
            challenge_key: Zeroizing::new(digest::random()?),
        })
    }

    /// Writes the zone; a store holds one.
    pub(crate) fn write(
        &self,
        tx: &mut Tx<'_>,
        seal: &Seal,
        zone_id: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let added = tx.execute(
            "INSERT INTO zone (one, id, made_at, ca_der, owner_public_key) VALUES (1, ?1, ?2, ?3, ?4) \
             ON CONFLICT (one) DO NOTHING",
            params![
                zone_id,
                now,
                hex::encode(&self.ca_der),
                hex::encode(&self.owner_public_key)
            ],
        )?;
        if added == 0 {
            return Err(Error::Raced {
                step: "make the zone",
            });
        }
        seal.put(tx, CA_KEY, &self.ca_key, now)?;
        seal.put(tx, OWNER_KEY, &self.owner_key, now)?;
        seal.put(tx, CHALLENGE_KEY, &*self.challenge_key, now)
    }
}

/// The id of the zone in this store, where there is one.
pub(crate) fn read_id(tx: &mut Tx<'_>) -> Result<Option<String>, Error> {
    let row = tx.row("SELECT id FROM zone WHERE one = 1", &[])?;
    row.map(|row| row.get(0).map_err(Error::from)).transpose()
}

/// Reads the root, and the key under which challenges are marked.
pub(crate) fn read(
    tx: &mut Tx<'_>,
    seal: &Seal,
    clock: &Clock,
    life: Span,
) -> Result<(ZoneRoot, Zeroizing<Vec<u8>>), Error> {
    let broken = || Error::Row { what: "zone" };
    let row = tx.row(
        "SELECT id, made_at, ca_der, owner_public_key FROM zone WHERE one = 1",
        &[],
    )?;
    let row = row.ok_or_else(broken)?;
    let (ca_der, owner): (String, String) = (row.get(2)?, row.get(3)?);
    let ca_der = hex::decode(ca_der).map_err(|_bad_hex| broken())?;
    let ca_key = seal.open(tx, CA_KEY)?.ok_or_else(broken)?;
    let challenge_key = seal.open(tx, CHALLENGE_KEY)?.ok_or_else(broken)?;
    let ca_key = PrivatePkcs8KeyDer::from(ca_key.to_vec());
    let ca_key = KeyPair::from_pkcs8_der_and_sign_algo(&ca_key, &PKCS_ECDSA_P256_SHA256)?;
    let certificate = CertificateDer::from(ca_der);
    let root = ZoneRoot {
        zone_id: row.get(0)?,
        made_at: row.get(1)?,
        ca_pem: pem(CERTIFICATE, &certificate),
        ca_fingerprint: digest::sha256_hex(&certificate),
        owner_public_key: hex::decode(owner).map_err(|_bad_hex| broken())?,
        issuer: Issuer::from_ca_cert_der(&certificate, ca_key)?,
        ca_der: certificate,
        life,
        clock: clock.clone(),
    };
    Ok((root, challenge_key))
}

impl ZoneRoot {
    /// The zone's id, the same for ever.
    #[must_use]
    pub fn zone_id(&self) -> &str {
        &self.zone_id
    }

    /// When the zone was made.
    #[must_use]
    pub const fn made_at(&self) -> Timestamp {
        self.made_at
    }

    /// The authority's certificate in PEM (RFC 7468): what clients trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The authority's certificate in DER.
    #[must_use]
    pub const fn ca_der(&self) -> &CertificateDer<'static> {
        &self.ca_der
    }

    /// SHA-256 of the authority's certificate in DER, 64 lower-case hex digits.
    #[must_use]
    pub fn ca_fingerprint(&self) -> &str {
        &self.ca_fingerprint
    }

    /// The zone owner's raw Ed25519 public key, 32 bytes.
    #[must_use]
    pub fn owner_public_key(&self) -> &[u8] {
        &self.owner_public_key
    }

    /// Makes a key and a certificate for a listener under these host names and addresses.
    ///
    /// # Errors
    /// `Internal` where a name cannot stand in a certificate.
    pub fn issue_server_certificate(&self, names: &[String]) -> Result<ServerCertificate, Error> {
        let (key, now) = (KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?, self.clock.now());
        let mut params = CertificateParams::new(names)?;
        set_life(&mut params, now, self.life);
        params.distinguished_name = common_name("Soke server");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(ServerCertificate {
            chain: vec![certificate.der().clone(), self.ca_der.clone()],
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            ends_at: now + self.life,
        })
    }
}

impl ZoneRoot {
    /// Makes a certificate for a machine that brought its own key: for connections that it dials, 24 hours long
    /// unless set otherwise. It counts once it is written down with [`crate::node::add_certificate`].
    ///
    /// # Errors
    /// `Internal` where it cannot be signed.
    pub fn issue_node_certificate(&self, name: &Name, key: &NodeKey) -> Result<NodeCertificate, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(name.as_str());
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        self.sign_for_client(params, &key.public, self.life)
    }

    /// Signs a certificate for connections that the holder of this key dials.
    pub(crate) fn sign_for_client(
        &self,
        mut params: CertificateParams,
        key: &impl PublicKeyData,
        life: Span,
    ) -> Result<NodeCertificate, Error> {
        let now = self.clock.now();
        set_life(&mut params, now, life);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let mut serial: [u8; 16] = digest::random()?;
        serial[0] &= 0x7f;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(key, &self.issuer)?;
        let chain = vec![certificate.der().clone(), self.ca_der.clone()];
        Ok(NodeCertificate::new(chain, now + life))
    }
}

fn common_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

fn set_life(params: &mut CertificateParams, now: Timestamp, life: Span) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since = |at: Timestamp| Duration::from_secs(u64::try_from(at.secs()).unwrap_or(0));
    params.not_before = epoch + since(now - BEHIND);
    params.not_after = epoch + since(now + life);
}

/// The label of a certificate in PEM.
pub(crate) const CERTIFICATE: &str = "CERTIFICATE";

/// The textual form of a thing in DER (RFC 7468).
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(label, der), lines)
}
