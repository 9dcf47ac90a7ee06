//! Why a client believes that a server is the one it means.
//!
//! What it leaves to others: where the authority or its fingerprint comes from.

use std::{fmt, str::FromStr, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        ResolvesClientCert, Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest as _, Sha256};

use crate::{Error, tls};

/// Says how a server proves itself.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Not at all: no encryption. For this machine and for tests.
    Plaintext,
    /// By a chain up to one of these authorities (PEM), for the name asked for.
    Authority {
        /// The authorities' certificates as PEM text.
        pem: String,
    },
    /// By a chain up to the one authority with this fingerprint, which the server sends along.
    Fingerprint(Fingerprint),
}

impl Trust {
    /// The TLS configuration for one protocol, with a certificate to show where there is one.
    ///
    /// Invalid for [`Trust::Plaintext`].
    pub(crate) fn config_with(
        &self,
        protocol: &[u8],
        shown: Option<Arc<dyn ResolvesClientCert>>,
    ) -> Result<ClientConfig, Error> {
        let builder = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .map_err(|source| Error::Tls { source })?;
        let builder = match self {
            Trust::Plaintext => {
                return Err(Error::Material {
                    what: "trust",
                    fault: "is plaintext, and here is TLS only".to_owned(),
                });
            }
            Trust::Authority { pem } => builder.with_root_certificates(tls::roots(pem)?),
            Trust::Fingerprint(pin) => {
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(Pinned {
                        pin: *pin,
                        provider: tls::provider(),
                    }))
            }
        };
        let mut config = match shown {
            Some(shown) => {
                let mut config = builder.with_client_cert_resolver(shown);
                // A connection that is resumed shows nothing: the server goes on with the certificate of the one before.
                config.resumption = Resumption::disabled();
                config
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![protocol.to_vec()];
        Ok(config)
    }
}

/// The SHA-256 of an authority's certificate. Written as 64 hexadecimal digits after `sha256:`; read in
/// either case, with or without that word, with or without colons between the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate in DER form.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate.as_ref()).into())
    }

    /// The fingerprint of the first certificate of a PEM text.
    ///
    /// # Errors
    /// Invalid when the text holds no certificate.
    pub fn of_pem(pem: &str) -> Result<Self, Error> {
        let certificates = tls::certificates(pem, "authority")?;
        Ok(Self::of(&certificates[0]))
    }
}

impl FromStr for Fingerprint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = match text.split_at_checked(7) {
            Some((word, rest)) if word.eq_ignore_ascii_case("sha256:") => rest,
            Some(_) | None => text,
        };
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits.replace(':', ""), &mut bytes).map_err(|_not_hex| Error::Material {
            what: "fingerprint",
            fault: "is not `sha256:` and 64 hexadecimal digits".to_owned(),
        })?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

/// Verifies a chain against the one authority in it that has the pinned fingerprint.
#[derive(Debug)]
struct Pinned {
    pin: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let authority = intermediates
            .iter()
            .find(|certificate| Fingerprint::of(certificate) == self.pin)
            .ok_or(CertificateError::UnknownIssuer)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
                .build()
                .map_err(|fault| rustls::Error::General(fault.to_string()))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::CertificateDer;

    use super::Fingerprint;

    #[test]
    fn a_fingerprint_is_read_in_every_usual_spelling() {
        let pin = Fingerprint::of(&CertificateDer::from(b"not really a certificate".to_vec()));
        let text = pin.to_string();
        let digits = text.strip_prefix("sha256:").unwrap().to_uppercase();
        let pairs: Vec<_> = (0..32).map(|at| &digits[at * 2..at * 2 + 2]).collect();
        for spelling in [&text, &digits, &pairs.join(":"), &format!("SHA256:{digits}")] {
            assert_eq!(spelling.parse::<Fingerprint>().unwrap(), pin, "{spelling}");
        }
        for wrong in [
            "",
            "sha256:",
            "sha256:12",
            &digits[1..],
            &format!("{digits}00"),
            "sha256é",
        ] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
    }
}
