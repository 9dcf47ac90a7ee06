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
const SIGN_OUT: &str = "session.sign_out";

/// Who holds a session, and through which app.
pub(crate) struct Holder {
    pub(crate) user: UserActor,
    /// The session's number.
    pub(crate) session: u64,
    pub(crate) roles: Vec<String>,
    pub(crate) app_id: String,
}

/// What became of a refresh token that was shown.
enum Turn<T> {
    /// It was the latest one.
    Taken(T),
    /// It was used before; the session has been ended for that.
    UsedBefore,
}

impl Access {
    /// Gives a new pair of tokens for a refresh token, once. One that comes a second time ends the session,
    /// since somebody else may hold it.
    ///
    /// # Errors
    /// `Unauthenticated` where the token is not good, was used before, or its session has ended; `Invalid`
    /// and the store's own as for signing in.
    pub async fn refresh(&self, refresh_token: Secret, peer: &Peer) -> Result<SignedIn, Error> {
        let now = self.house.clock.now();
        let claims = self.house.take(&refresh_token, peer, REFRESH, now).await?;
        self.house.carry_on(claims, peer, now).await
    }

    /// Ends the session of a refresh token, for clients that have nothing else to sign out with.
    ///
    /// # Errors
    /// As [`Access::refresh`].
    pub async fn sign_out_by_refresh(&self, refresh_token: Secret, peer: &Peer) -> Result<(), Error> {
        let (house, now) = (&self.house, self.house.clock.now());
        let claims = house.take(&refresh_token, peer, SIGN_OUT, now).await?;
        let whence = peer.clone();
        let end = move |tx: &mut Tx<'_>| {
            turn(tx, &claims, &whence, SIGN_OUT, now, |tx, standing| {
                sessions::end(tx, standing.user.session()?, "signed out", now)
            })
        };
        match house.write(end).await? {
            Turn::Taken(()) => Ok(()),
            Turn::UsedBefore => Err(Error::RefreshReused),
        }
    }
}

/// Does `work` with the session of a refresh token that is the latest one, and leaves the audit row; ends the
/// session where the token is an older one.
fn turn<T>(
    tx: &mut Tx<'_>,
    claims: &token::Claims,
    peer: &Peer,
    action: &'static str,
    now: Timestamp,
    work: impl FnOnce(&mut Tx<'_>, &sessions::Standing) -> Result<T, Error>,
) -> Result<Turn<T>, Error> {
    const TWICE: &str = "refresh token used twice";
    let standing = sessions::standing(tx, claims.session, now)?;
    let (user, session) = (&standing.user, standing.user.session()?);
    let entry = Entry::of_nobody(peer, action).by(&user.id.to_string(), user.name.as_str());
    let entry = entry.in_session(&session.to_string());
    if !standing.is_latest(&claims.jti) {
        sessions::end(tx, session, TWICE, now)?;
        audit::insert(tx, &entry.because(TWICE), Outcome::Refused, now)?;
        return Ok(Turn::UsedBefore);
    }
    let done = work(tx, &standing)?;
    audit::insert(tx, &entry, Outcome::Done, now)?;
    Ok(Turn::Taken(done))
}

impl House {
    /// Proves a refresh token, and counts where it is not good.
    async fn take(
        &self,
        refresh_token: &Secret,
        peer: &Peer,
        action: &'static str,
        now: Timestamp,
    ) -> Result<token::Claims, Error> {
        let mut faults = Faults::default();
        let length = refresh_token.expose().len();
        check_length(&mut faults, "refresh_token", length, 1, token::LONGEST);
        faults.check()?;
        let proven = self.prove(refresh_token.expose(), Use::Refresh, now).await;
        proven.inspect_err(|_error| self.anonymous.count(peer, action, now))
    }

    async fn carry_on(&self, claims: token::Claims, peer: &Peer, now: Timestamp) -> Result<SignedIn, Error> {
        let next = digest::random_text()?.expose().to_owned();
        let (jti, whence, longest) = (next.clone(), peer.clone(), self.config.session_life);
        let refresh_ends = now + self.config.refresh_life;
        let app_id = claims.appid.clone();
        let carry = move |tx: &mut Tx<'_>| {
            turn(tx, &claims, &whence, REFRESH, now, |tx, standing| {
                let user = standing.user.clone();
                let ends_at = refresh_ends.min(standing.opened_at + longest);
                sessions::carry_on(tx, user.session()?, &jti, ends_at, now)?;
                let roles = grants::words_of_user(tx, user.id)?;
                Ok((user, claims.session, roles, ends_at))
            })
        };
        let Turn::Taken((user, session, roles, ends_at)) = self.write(carry).await? else {
            return Err(Error::RefreshReused);
        };
        let holder = Holder {
            user,
            session,
            roles,
            app_id,
        };
        self.hand_out(holder, &next, ends_at, now)
    }

    /// Signs the two tokens of a session.
    pub(crate) fn hand_out(
        &self,
        holder: Holder,
        refresh_jti: &str,
        refresh_expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<SignedIn, Error> {
        let Holder {
            user,
            session,
            roles,
            app_id,
        } = holder;
        let keys = self.ring.keys();
        let access_expires_at = (now + self.config.access_life).min(refresh_expires_at);
        let grant = |token_use, jti, expires_at| Grant {
            zone: self.root.zone_id(),
            user_name: user.name.as_str(),
            user: user.id,
            app_id: &app_id,
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
                session_id: user.session()?,
                roles,
            },
        })
    }
}
