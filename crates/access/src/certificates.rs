//! Certificates of users: one more shape of a session, for doors whose clients show nothing else.
//!
//! The user brings the key. The certificate counts as long as its session stands, and is never carried on. What it
//! leaves to others: machines (`node`), and the handshake (whoever listens).

use model::{Timestamp, UserId};
use rustls_pki_types::CertificateDer;
use store::{Tx, params};

use crate::{
    Access, Actor, Error, NodeActor, NodeKey, Peer, Permit, Subject, UserActor, Write,
    action::session::Certify,
    digest,
    keyed::{YEAR, client},
    node,
    sessions::{self, Opening},
};

/// The action under which refused certificates are counted.
const ACTION: &str = "session.authenticate";
/// The most certificates of one user that count at a time.
const MOST: usize = 32;

/// Who shows a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateHolder {
    /// A user of the zone.
    User(Actor),
    /// A machine of the zone.
    Node(NodeActor),
}

/// A certificate that was given to a user.
#[derive(Debug, Clone)]
pub struct UserCertificate {
    /// The certificate first, then the authority's.
    pub chain: Vec<CertificateDer<'static>>,
    /// When it ends.
    pub ends_at: Timestamp,
    /// The session that it shows.
    pub session_id: model::SessionId,
}

impl Access {
    /// Gives the caller a certificate of 365 days for a key of the caller's, and opens the session that it shows. Of the
    /// request (PKCS #10, DER) nothing but the key is read; `subject` stands in the certificate.
    ///
    /// # Errors
    /// `Invalid` for a request that cannot be used; `Exhausted` where the caller has 32 of them; the store's own.
    pub async fn certify(
        &self,
        permit: &Permit<Certify>,
        request: &[u8],
        subject: &Subject,
    ) -> Result<UserCertificate, Error> {
        let key = NodeKey::from_request(request)?;
        let certificate = self
            .house
            .root
            .sign_for_client(client(subject), &key.public, YEAR)?;
        let opening = Opening::draw("certificate", YEAR, self.house.clock.now())?;
        let (user, peer) = (permit.user()?.id, permit.peer().clone());
        let (fingerprint, ends_at) = (certificate.fingerprint().to_owned(), certificate.ends_at);
        let draft = opening.clone();
        let open = move |write: &mut Write<'_, '_>| {
            let now = write.now();
            write.about(format_args!("certificate {fingerprint} in session {}", draft.id));
            if standing(write, user, now)? >= MOST {
                return Err(Error::TooManyCertificates { most: MOST });
            }
            draft.write(write, user, &peer, now)?;
            write.execute(
                "INSERT INTO user_certificates (fingerprint, session_id, ends_at) VALUES (?1, ?2, ?3)",
                params![fingerprint.as_str(), draft.id, ends_at],
            )?;
            Ok(())
        };
        permit.write(&self.house.store, open).await?;
        Ok(UserCertificate {
            chain: certificate.chain,
            ends_at,
            session_id: opening.id,
        })
    }

    /// Tells which user or machine holds this certificate. The connection must have proven that the caller has its
    /// key.
    ///
    /// # Errors
    /// `Unauthenticated` where it was not given by this zone, has ended, or was taken back; the refusal is counted.
    /// The store's own.
    pub async fn authenticate_certificate(
        &self,
        certificate: &CertificateDer<'_>,
        peer: &Peer,
    ) -> Result<CertificateHolder, Error> {
        let (fingerprint, now) = (digest::sha256_hex(certificate), self.house.clock.now());
        let found = self
            .house
            .store
            .read(move |tx| match user(tx, &fingerprint, now) {
                Ok(user) => Ok(CertificateHolder::User(Actor::User(user))),
                Err(Error::BadCertificate) => {
                    node::by_fingerprint(tx, &fingerprint, now).map(CertificateHolder::Node)
                }
                Err(other) => Err(other),
            });
        found.await.inspect_err(|error| {
            if matches!(error, Error::BadCertificate | Error::SessionEnded) {
                self.house.anonymous.count(peer, ACTION, now);
            }
        })
    }
}

fn user(tx: &mut Tx<'_>, fingerprint: &str, now: Timestamp) -> Result<UserActor, Error> {
    let row = tx.row(
        "SELECT s.number FROM user_certificates c JOIN sessions s ON s.id = c.session_id \
         WHERE c.fingerprint = ?1 AND c.ends_at > ?2",
        params![fingerprint, now],
    )?;
    let number: i64 = row.ok_or(Error::BadCertificate)?.get(0)?;
    let number = u64::try_from(number).map_err(|_negative| Error::Row {
        what: "session number",
    })?;
    Ok(sessions::standing(tx, number, now)?.user)
}

/// How many certificates of a user count, after those that ended were forgotten.
fn standing(tx: &mut Tx<'_>, user: UserId, now: Timestamp) -> Result<usize, Error> {
    tx.execute("DELETE FROM user_certificates WHERE ends_at <= ?1", params![now])?;
    let rows = tx.rows(
        "SELECT c.fingerprint FROM user_certificates c JOIN sessions s ON s.id = c.session_id \
         WHERE s.user_id = ?1 AND s.ended_at IS NULL AND s.expires_at > ?2",
        params![user, now],
    )?;
    Ok(rows.len())
}
