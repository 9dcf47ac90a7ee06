//! From a credential to an actor, on every call.
//!
//! The session is looked up in the store, or in what was read from it since the last commit (`recent`), so its end counts
//! from the next call on, on every server.
//! What it leaves to others: what the actor may do (`permit`).

use std::sync::Arc;

use model::Timestamp;
use store::Tx;

use crate::{
    Access, Actor, Credential, Error, Faults, Peer, Secret, Verified, ZoneRoot, digest,
    house::House,
    recent::{OpenSession, ProvenToken},
    sessions::{self, Standing},
    sign_in::check_length,
    token::{Claims, LONGEST, Unproven, Use},
    token_keys,
};

/// The action under which refused calls of unknown callers are counted.
const ACTION: &str = "session.authenticate";
impl Access {
    /// Tells who shows this credential.
    ///
    /// # Errors
    /// `Unauthenticated` where it is not good, has ended, or its session has ended; `Invalid` where it is far
    /// too long, or a front end names what cannot be a user; `Denied` where it names a user who is not there; the
    /// store's own. Refusals are counted by address and minute.
    pub async fn authenticate(&self, credential: Credential, peer: &Peer) -> Result<Actor, Error> {
        match credential {
            Credential::Bearer(token) | Credential::KrpcToken(token) => {
                Ok(self.verify(token, peer).await?.actor)
            }
            Credential::Cookie { name, secret } => {
                let known = self.house.by_cookie(&name, &secret).await;
                known
                    .map(Actor::User)
                    .inspect_err(|error| self.count_refused(error, peer))
            }
            Credential::FrontEnd { token, user } => match self.house.front_end(&token) {
                Some(front_end) => self.house.speak(front_end, user, peer).await,
                None => Ok(self.verify(token, peer).await?.actor),
            },
        }
    }

    /// Tells who shows this access token, and through which app.
    ///
    /// # Errors
    /// As [`Access::authenticate`].
    pub async fn verify(&self, token: Secret, peer: &Peer) -> Result<Verified, Error> {
        let known = self.house.authenticate(token.expose()).await;
        let (session, proven) = known.inspect_err(|error| self.count_refused(error, peer))?;
        Ok(Verified {
            actor: Actor::User(session.user.clone()),
            app_id: proven.claims.appid.clone(),
        })
    }

    fn count_refused(&self, error: &Error, peer: &Peer) {
        if matches!(error, Error::BadToken | Error::SessionEnded | Error::Invalid(_)) {
            self.house.anonymous.count(peer, ACTION, self.house.clock.now());
        }
    }

    /// Refuses a call that shows no credential at all, and counts it.
    #[must_use]
    pub fn refuse(&self, peer: &Peer) -> Error {
        self.house.anonymous.count(peer, ACTION, self.house.clock.now());
        Error::BadToken
    }

    /// The root of the zone: its id and its certificate authority.
    #[must_use]
    pub fn zone(&self) -> &ZoneRoot {
        &self.house.root
    }
}

impl House {
    async fn authenticate(
        self: &Arc<Self>,
        token: &str,
    ) -> Result<(Arc<OpenSession>, Arc<ProvenToken>), Error> {
        let (mut faults, now) = (Faults::default(), self.clock.now());
        check_length(&mut faults, "authorization", token.len(), 0, LONGEST);
        faults.check()?;
        let proven = self.prove_for_calls(token, now).await?;
        let session = self.open_session_of(proven.claims.session, now).await?;
        // The claims are ours and signed; that they fit the row guards against a store put back from a backup.
        if session.user.id == proven.claims.uid {
            Ok((session, proven))
        } else {
            Err(Error::BadToken)
        }
    }

    /// The session with this number, where it stands.
    async fn open_session_of(&self, number: u64, now: Timestamp) -> Result<Arc<OpenSession>, Error> {
        // Before the read: what is committed meanwhile may be missing in it.
        let commits = self.store.commits_seen();
        if let Some(session) = self.recent.session(commits, number, now) {
            return Ok(session);
        }
        let read = move |tx: &mut Tx<'_>| sessions::standing(tx, number, now);
        let Standing { user, expires_at, .. } = self.store.read(read).await?;
        let session = Arc::new(OpenSession { user, expires_at });
        self.recent.keep_session(commits, number, Arc::clone(&session));
        Ok(session)
    }

    /// Proves an access token. Its signature is looked at once; that its key is good and its time not over, each time.
    async fn prove_for_calls(&self, token: &str, now: Timestamp) -> Result<Arc<ProvenToken>, Error> {
        let hash = digest::sha256(token.as_bytes());
        if let Some(proven) = self.recent.token(&hash) {
            let good = self.ring.keys().good(&proven.fingerprint, now).is_some();
            return if good && proven.claims.is_before_its_end(now) {
                Ok(proven)
            } else {
                Err(Error::BadToken)
            };
        }
        let fingerprint = Unproven::parse(token).ok_or(Error::BadToken)?.fingerprint;
        let claims = self.prove(token, Use::Access, now).await?;
        let proven = Arc::new(ProvenToken { claims, fingerprint });
        self.recent.keep_token(hash, Arc::clone(&proven));
        Ok(proven)
    }

    /// Proves a token. A key that is not known may be another server's new one, so the keys are read again.
    pub(crate) async fn prove(&self, token: &str, token_use: Use, now: Timestamp) -> Result<Claims, Error> {
        let token = Unproven::parse(token).ok_or(Error::BadToken)?;
        let zone = self.root.zone_id();
        let mut keys = self.ring.keys();
        if keys.good(&token.fingerprint, now).is_none() {
            let (seal, fingerprint) = (self.seal.clone(), token.fingerprint.clone());
            let known = move |tx: &mut Tx<'_>| {
                token_keys::is_known(tx, &fingerprint)?
                    .then(|| token_keys::read(tx, &seal))
                    .transpose()
            };
            let again = self.store.read(known).await?.ok_or(Error::BadToken)?;
            self.ring.set(again);
            keys = self.ring.keys();
        }
        let key = keys.good(&token.fingerprint, now).ok_or(Error::BadToken)?;
        token.prove(key, zone, token_use, now).ok_or(Error::BadToken)
    }
}
