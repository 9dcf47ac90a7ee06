//! Carrying a session on with a refresh token, and signing the two tokens of a session.
//!
//! What it leaves to others: opening a session (`sign_in`), and the form of tokens (`token`).

use model::Timestamp;
use store::Tx;

use crate::{
    Access, Error, Faults, Identity, Peer, Secret, SignedIn, UserActor,
    audit::{self, Entry, Outcome},
    digest, grants,
    house::House,
    sessions,
    sign_in::check_length,
    token::{self, Grant, Use},
};

const REFRESH: &str = "session.refresh";

impl Access {
    /// Gives a new pair of tokens for a refresh token, once. One that comes a second time ends the session,
    /// since somebody else may hold it.
    ///
    /// # Errors
    /// `Unauthenticated` where the token is not good, was used before, or its session has ended; `Invalid`,
    /// `Exhausted` and the store's own as for signing in.
    pub async fn refresh(&self, refresh_token: Secret, peer: &Peer) -> Result<SignedIn, Error> {
        let mut faults = Faults::default();
        check_length(
            &mut faults,
            "refresh_token",
            refresh_token.expose().len(),
            1,
            token::LONGEST,
        );
        faults.check()?;
        let now = self.house.clock.now();
        self.house.enter(peer, REFRESH, now)?;
        let proven = self.house.prove(refresh_token.expose(), Use::Refresh, now).await;
        let claims = proven.inspect_err(|_error| self.house.anonymous.count(peer, REFRESH, now))?;
        self.house.carry_on(claims, peer, now).await
    }
}

impl House {
    async fn carry_on(&self, claims: token::Claims, peer: &Peer, now: Timestamp) -> Result<SignedIn, Error> {
        let next = digest::random_text()?.expose().to_owned();
        let (jti, whence, longest) = (next.clone(), peer.clone(), self.config.session_life);
        let refresh_ends = now + self.config.refresh_life;
        let turn = move |tx: &mut Tx<'_>| {
            let standing = sessions::standing(tx, claims.session, now)?;
            let (user, session) = (standing.user.clone(), standing.user.session);
            let entry = Entry::of_nobody(&whence, REFRESH).by(&user.id.to_string(), user.name.as_str());
            let entry = entry.in_session(&session.to_string());
            if !standing.is_latest(&claims.jti) {
                sessions::end(tx, session, "refresh token used twice", now)?;
                audit::insert(
                    tx,
                    &entry.because("refresh token used twice"),
                    Outcome::Refused,
                    now,
                )?;
                return Ok(None);
            }
            let ends_at = refresh_ends.min(standing.opened_at + longest);
            sessions::carry_on(tx, session, &jti, ends_at, now)?;
            audit::insert(tx, &entry, Outcome::Done, now)?;
            let roles = grants::words_of_user(tx, user.id)?;
            Ok(Some((user, claims.session, roles, ends_at)))
        };
        let turned = self.write(turn).await?;
        let (user, number, roles, ends_at) = turned.ok_or(Error::SessionEnded)?;
        self.hand_out(user, number, roles, &next, ends_at, now)
    }

    /// Signs the two tokens of a session.
    pub(crate) fn hand_out(
        &self,
        user: UserActor,
        session: u64,
        roles: Vec<String>,
        refresh_jti: &str,
        refresh_expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<SignedIn, Error> {
        let keys = self.ring.keys();
        let access_expires_at = (now + self.config.access_life).min(refresh_expires_at);
        let grant = |token_use, jti, expires_at| Grant {
            zone: self.root.zone_id(),
            user_name: user.name.as_str(),
            user: user.id,
            session,
            jti,
            token_use,
            now,
            expires_at,
        };
        let access_jti = digest::random_text()?.expose().to_owned();
        let access = grant(Use::Access, access_jti, access_expires_at);
        let refresh = grant(Use::Refresh, refresh_jti.to_owned(), refresh_expires_at);
        Ok(SignedIn {
            access_token: keys.signer.sign(access)?,
            access_expires_at,
            refresh_token: keys.signer.sign(refresh)?,
            refresh_expires_at,
            identity: Identity {
                user_id: user.id,
                user_name: user.name.clone(),
                session_id: user.session,
                roles,
            },
        })
    }
}
