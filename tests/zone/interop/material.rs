//! Certificates of one authority, and a service account, as files for programs of every language; made anew for each run.
//!
//! What it leaves to others: which program is given which of them (`peers`).

use std::{fs, net::Ipv4Addr, path::PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, RsaKeySize, SanType,
};
use serde_json::json;
use tempfile::TempDir;

/// The name that servers prove.
pub(super) const NAME: &str = "foo.test.google.fr";
/// Who the service account is.
pub(super) const EMAIL: &str = "tester@interop.test";
/// The scope that tokens are asked for: the one that the official cases ask for.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/xapi.zoo";

/// A folder with all of it.
pub(super) struct Material {
    folder: TempDir,
    /// Where the issuer of tokens is to stand.
    pub(super) issuer_port: u16,
}

impl Material {
    pub(super) fn make() -> Self {
        let material = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            issuer_port: testbed::free_port(),
        };
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "interop test authority");
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
        material.write("ca.pem", &authority.pem());
        for name in ["server", "client"] {
            let mut params = CertificateParams::new(["*.test.google.fr".to_owned()]).expect("a name");
            let here = SanType::IpAddress(Ipv4Addr::LOCALHOST.into());
            params.subject_alt_names.push(here);
            params.distinguished_name.push(DnType::CommonName, name);
            let key = KeyPair::generate().expect("a key");
            let certificate = params.signed_by(&key, &authority).expect("a certificate");
            material.write(&format!("{name}.pem"), &certificate.pem());
            material.write(&format!("{name}.key"), &key.serialize_pem());
        }
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key");
        let account = json!({
            "type": "service_account",
            "client_email": EMAIL,
            "client_id": "1",
            "private_key_id": "1",
            "private_key": key.serialize_pem(),
            "token_uri": format!("http://{}/token", material.issuer()),
        });
        material.write("account.json", &account.to_string());
        material
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the file is written");
    }

    /// The path of one of the files.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A flag that names one of the files.
    pub(super) fn flag(&self, flag: &str, name: &str) -> String {
        format!("--{flag}={}", self.path(name).display())
    }

    /// The issuer's host and port.
    pub(super) fn issuer(&self) -> String {
        format!("127.0.0.1:{}", self.issuer_port)
    }
}
