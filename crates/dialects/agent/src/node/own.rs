//! What the machine of the zone itself is spared: it is told in the same process what others must ask for.
//!
//! What it leaves to others: everything else; its link is kept by the same loop as any other.

use std::path::Path;

use access::NodeCertificate;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tasks::Clock;

use super::{Error, place};

/// A certificate request for the key in the file at `path`.
///
/// # Errors
/// `Precondition` where the machine has not joined, or the file cannot be read.
pub fn certificate_request(path: &Path) -> Result<Vec<u8>, Error> {
    joined(path)?.keys.certificate_request()
}

/// Keeps a certificate that was given without asking, and where the server stands now.
///
/// # Errors
/// `Precondition` where the machine has not joined, or the file cannot be written.
pub fn keep_certificate(
    path: &Path,
    certificate: &NodeCertificate,
    server: &str,
    clock: &Clock,
) -> Result<(), Error> {
    let mut record = joined(path)?;
    server.clone_into(&mut record.server);
    if let Some(membership) = &mut record.membership {
        membership.chain = certificate.chain.iter().map(|one| STANDARD.encode(one)).collect();
        membership.given_at = clock.now();
        membership.ends_at = certificate.ends_at;
    }
    place::save(path, &record)
}

/// Forgets the keys and the membership, so that the machine can join anew with others.
///
/// # Errors
/// `Precondition` where the file cannot be removed.
pub fn forget(path: &Path) -> Result<(), Error> {
    place::remove(path)
}

fn joined(path: &Path) -> Result<place::Record, Error> {
    let record = place::load(path)?.filter(|record| record.membership.is_some());
    record.ok_or_else(|| Error::NoMember {
        path: path.to_owned(),
    })
}
