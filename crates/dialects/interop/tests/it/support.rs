//! A server with its issuer, certificates of one authority, and settings that reach them.

use std::net::SocketAddr;

use interop::{Account, Handle, Parts, Settings, Soak, start};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair as CertificateKey, PKCS_RSA_SHA256,
    RsaKeySize,
};
use rpc::{
    ClientCertificates, Identity, ListenAddress, Security, Target, TlsSource, Trust, link::Holder,
    server_config,
};
use serde_json::json;
use tasks::Tasks;
use tonic::metadata::MetadataMap;

/// The name that the server proves.
pub(crate) const NAME: &str = "foo.test.google.fr";
/// Who the service account is.
pub(crate) const EMAIL: &str = "tester@interop.test";
/// The scope that tokens are asked for.
pub(crate) const SCOPE: &str = "https://www.googleapis.com/auth/xapi.zoo";

/// What is between the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Plain,
    Tls,
    Mutual,
}

/// A running server and what reaches it.
pub(crate) struct Bed {
    _handle: Handle,
    pub(crate) settings: Settings,
    /// The file of the account that it believes.
    pub(crate) account: String,
    _tasks: Tasks,
}

/// An authority for one test.
pub(crate) struct Authority(CertifiedIssuer<'static, CertificateKey>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, CertificateKey::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn identity(&self, name: &str) -> Identity {
        let key = CertificateKey::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity::from_pem(&certificate.pem(), &key.serialize_pem()).unwrap()
    }
}

/// The file of a fresh service account whose issuer stands at this address.
pub(crate) fn account_file(issuer: &str) -> String {
    let key = CertificateKey::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let file = json!({
        "type": "service_account",
        "client_email": EMAIL,
        "private_key_id": "1",
        "private_key": key.serialize_pem(),
        "token_uri": format!("http://{issuer}/token"),
    });
    file.to_string()
}

impl Bed {
    pub(crate) async fn open(mode: Mode) -> Self {
        let tasks = Tasks::new();
        let authority = Authority::new();
        let clients = match mode {
            Mode::Plain | Mode::Tls => ClientCertificates::Unasked,
            Mode::Mutual => ClientCertificates::Required {
                authorities: authority.pem(),
            },
        };
        let security = match mode {
            Mode::Plain => Security::Plain,
            Mode::Tls | Mode::Mutual => {
                let settings = server_config(authority.identity("*.test.google.fr"), &clients).unwrap();
                Security::Tls(TlsSource::new(settings))
            }
        };
        let port = testbed::free_port();
        let issuer = SocketAddr::from(([127, 0, 0, 1], port)).to_string();
        let file = account_file(&issuer);
        let account = Account::from_json(&file).unwrap();
        let handle = start(Parts {
            address: ListenAddress::loopback(0),
            security,
            insecure: false,
            account: Some(account.clone()),
            issuer: Some(ListenAddress::loopback(port)),
            tasks: tasks.clone(),
        });
        let handle = handle.await.unwrap();
        let settings = Settings {
            target: Target::from(handle.address()).with_server_name(NAME).unwrap(),
            host: NAME.to_owned(),
            trust: match mode {
                Mode::Plain => Trust::Plaintext,
                Mode::Tls | Mode::Mutual => Trust::Authority { pem: authority.pem() },
            },
            holder: (mode == Mode::Mutual).then(|| Holder::new(authority.identity("tester")).unwrap()),
            metadata: MetadataMap::new(),
            service_config: None,
            account: Some(account),
            default_account: EMAIL.to_owned(),
            scope: SCOPE.to_owned(),
            machine: Some(issuer),
            soak: Soak {
                acceptable_latency: std::time::Duration::from_secs(30),
                overall: std::time::Duration::from_secs(60),
                ..Soak::default()
            },
            concurrent: 20,
        };
        Self {
            _handle: handle,
            settings,
            account: file,
            _tasks: tasks,
        }
    }
}
