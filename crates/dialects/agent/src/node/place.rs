//! What a machine keeps of itself: one file, written whole or not at all, that nobody else can read.
//!
//! It holds the token until the certificate is there, so that a join that was cut off goes on where it was. What it
//! leaves to others: what is asked of the server (`join`, `keep`).

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::Timestamp;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};

use super::{Error, keys::Keys};

/// Everything that is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// Host and port of the server.
    pub(super) server: String,
    /// The fingerprint of the zone's authority.
    pub(super) authority: String,
    pub(super) name: String,
    /// Only while the join is not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<String>,
    pub(super) keys: Keys,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) membership: Option<Membership>,
}

/// What the zone gave.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Membership {
    pub(super) node_id: String,
    pub(super) address: String,
    pub(super) peer_address: String,
    /// DER in base64, the node's own certificate first.
    pub(super) chain: Vec<String>,
    pub(super) given_at: Timestamp,
    pub(super) ends_at: Timestamp,
}

/// What this machine is in its zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub node_id: String,
    /// Its name.
    pub name: String,
    /// Its IPv4 address in the zone's network.
    pub address: String,
    /// The even address beside it.
    pub peer_address: String,
    /// Host and port of the zone's server.
    pub server: String,
    /// When its certificate ends; the next one is there long before.
    pub certificate_ends_at: Timestamp,
}

/// Tells what this machine is, by the file at `path`.
///
/// # Errors
/// `Precondition` where it has not joined, or the file cannot be read.
pub fn read(path: &Path) -> Result<Member, Error> {
    let record = load(path)?;
    let member = record.and_then(|record| record.member());
    member.ok_or_else(|| Error::NoMember {
        path: path.to_owned(),
    })
}

impl Record {
    pub(super) fn member(&self) -> Option<Member> {
        let given = self.membership.as_ref()?;
        Some(Member {
            node_id: given.node_id.clone(),
            name: self.name.clone(),
            address: given.address.clone(),
            peer_address: given.peer_address.clone(),
            server: self.server.clone(),
            certificate_ends_at: given.ends_at,
        })
    }

    /// The certificate and its key, for a link.
    pub(super) fn identity(&self, path: &Path) -> Result<rpc::Identity, Error> {
        let broken = |what| Error::Content {
            path: path.to_owned(),
            what,
        };
        let given = self.membership.as_ref();
        let given = given.ok_or_else(|| broken("it holds no certificate"))?;
        let chain = given
            .chain
            .iter()
            .map(|one| STANDARD.decode(one).map(CertificateDer::from));
        let chain: Result<Vec<_>, _> = chain.collect();
        let chain = chain.map_err(|_not_base64| broken("a certificate in it is not base64"))?;
        let key = PrivateKeyDer::from_pem_slice(self.keys.tls_pem().as_bytes());
        let key = key.map_err(|_not_pem| broken("the TLS key in it is not PEM"))?;
        Ok(rpc::Identity::new(chain, key))
    }
}

/// Reads the file; none where there is none.
pub(super) fn load(path: &Path) -> Result<Option<Record>, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(file(path, source)),
    };
    // The parser's own words show the line at fault, which may hold a key.
    let record = toml::from_str(&text).map_err(|_shows_content| Error::Content {
        path: path.to_owned(),
        what: "it is not as this release writes it",
    })?;
    Ok(Some(record))
}

/// Writes the file so that after a power cut there is the old one or the new one.
pub(super) fn save(path: &Path, record: &Record) -> Result<(), Error> {
    let text = toml::to_string(record).map_err(|_never| Error::Content {
        path: path.to_owned(),
        what: "it cannot be written as TOML",
    })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let beside = path.with_extension("new");
    let write = || {
        fs::create_dir_all(folder)?;
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| file(path, source))
}

/// Removes the file; that it is not there is no fault.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file(path, error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn file(path: &Path, source: io::Error) -> Error {
    let path = path.to_owned();
    Error::File { path, source }
}
