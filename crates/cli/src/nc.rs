//! The command for LiteKube's administrators: a certificate where their tool looks for one.
//!
//! The key is made here and stays here. What it leaves to others: signing (the server), and everything else that
//! LiteKube's own tool does.

use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use wire::soke::v1::{self, session_service_client::SessionServiceClient};

use crate::{
    Error,
    args::Nc,
    client::{Client, Surroundings},
    pem::pem,
    place::write_private,
    terminal::say,
};

/// Where `ncadm` looks, below the home folder.
const FOLDER: &str = ".litekube/nc/certs/grpc";

/// Does what was asked.
pub(crate) async fn nc(surroundings: &Surroundings, asked: Nc) -> Result<(), Error> {
    match asked {
        Nc::AdminCert { folder } => admin_cert(surroundings, folder).await,
    }
}

async fn admin_cert(surroundings: &Surroundings, folder: Option<PathBuf>) -> Result<(), Error> {
    let of_home = || surroundings.home.as_ref().map(|home| home.join(FOLDER));
    let folder = folder.or_else(of_home).ok_or_else(|| Error::Usage {
        what: "there is no home folder to put the certificate in".to_owned(),
        want: "soke nc admin-cert --folder FOLDER".to_owned(),
    })?;
    let client = Client::open(surroundings).await?;
    let failed = |_fault: rcgen::Error| Error::Answer("no key and request could be made");
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let request = CertificateParams::default()
        .serialize_request(&key)
        .map_err(failed)?;
    let message = v1::CreateCertificateRequest {
        certificate_request: request.der().to_vec(),
    };
    let mut sessions = SessionServiceClient::new(client.channel());
    let answer = client
        .call(message, |request| sessions.create_certificate(request))
        .await?;
    let [own, authority] = answer.chain.as_slice() else {
        return Err(Error::Answer("a certificate without its authority"));
    };
    make(&folder)?;
    let (own, authority) = (pem("CERTIFICATE", own), pem("CERTIFICATE", authority));
    write_private(&folder.join("ca.pem"), authority.as_bytes())?;
    write_private(&folder.join("client.pem"), format!("{own}{authority}").as_bytes())?;
    write_private(&folder.join("client-key.pem"), key.serialize_pem().as_bytes())?;
    let ends_at = answer.ends_at.unwrap_or_default();
    let ends_at = jiff::Timestamp::from_second(ends_at.seconds).unwrap_or_default();
    say(format_args!(
        "ca.pem, client.pem and client-key.pem in {}",
        folder.display()
    ))?;
    say(format_args!(
        "good until {ends_at}, or until your sessions are revoked"
    ))
}

/// Makes the folder, open to its owner only.
fn make(folder: &Path) -> Result<(), Error> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| Error::File {
        path: folder.to_owned(),
        source,
    })
}
