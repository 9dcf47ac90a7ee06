//! From a credential to an actor, on every call.
//!
//! The session is looked up in the store each time, so its end counts from the next call on, on every server.
//! What it leaves to others: what the actor may do (`permit`).

use std::sync::Arc;

use model::Timestamp;
use store::Tx;

use crate::{
    Access, Actor, Credential, Error, Faults, Peer, Secret, UserActor, Verified, ZoneRoot,
    house::House,
    sessions,
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
        let (user, claims) = known.inspect_err(|error| self.count_refused(error, peer))?;
        Ok(Verified {
            actor: Actor::User(user),
            app_id: claims.appid,
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
    async fn authenticate(self: &Arc<Self>, token: &str) -> Result<(UserActor, Claims), Error> {
        let (mut faults, now) = (Faults::default(), self.clock.now());
        check_length(&mut faults, "authorization", token.len(), 0, LONGEST);
        faults.check()?;
        let claims = self.prove(token, Use::Access, now).await?;
        let number = claims.session;
        let found = self
            .store
            .read(move |tx: &mut Tx<'_>| sessions::standing(tx, number, now))
            .await?;
        // The claims are ours and signed; that they fit the row guards against a store put back from a backup.
        if found.user.id == claims.uid {
            Ok((found.user, claims))
        } else {
            Err(Error::BadToken)
        }
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
