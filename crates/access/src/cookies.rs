//! Cookies: random secrets that show a session to a door for browsers.
//!
//! The store keeps the SHA-256 of name and secret together, so that neither moves without the other. A cookie ends
//! with its session, and both end at the same instant by themselves. What it leaves to others: the header that carries
//! it, and its name (the door).

use std::sync::Arc;

use model::{Timestamp, UserId};
use store::{Tx, params};

use crate::{
    Error, Faults, Identity, Peer, Secret, SignedInByCookie, UserActor, digest, house::House, proven::Proven,
    sessions, sessions::Opening, sign_in::check_length,
};

/// The longest name and the longest secret that are looked at, in bytes.
const LONGEST: usize = 128;

fn hash(name: &str, secret: &Secret) -> String {
    digest::sha256_hex(format!("cookie\0{name}\0{}", secret.expose()).as_bytes())
}

/// Writes down the cookie of a session.
pub(crate) fn insert(tx: &mut Tx<'_>, hash: &str, session: u64, ends_at: Timestamp) -> Result<(), Error> {
    let session = sessions::stored_number(session)?;
    let sql = "INSERT INTO cookies (hash, session_number, ends_at) VALUES (?1, ?2, ?3)";
    tx.execute(sql, params![hash, session, ends_at])?;
    Ok(())
}

fn standing(tx: &mut Tx<'_>, hash: &str, now: Timestamp) -> Result<UserActor, Error> {
    let sql = "SELECT session_number FROM cookies WHERE hash = ?1 AND ends_at > ?2";
    let row = tx.row(sql, params![hash, now])?.ok_or(Error::BadToken)?;
    let number = row.get::<i64>(0)?;
    let number = u64::try_from(number).map_err(|_negative| Error::Row { what: "cookie" })?;
    Ok(sessions::standing(tx, number, now)?.user)
}

impl House {
    /// Tells who shows this cookie.
    pub(crate) async fn by_cookie(&self, name: &str, secret: &Secret) -> Result<UserActor, Error> {
        let (mut faults, now) = (Faults::default(), self.clock.now());
        check_length(&mut faults, "cookie", secret.expose().len(), 0, LONGEST);
        check_length(&mut faults, "cookie name", name.len(), 0, LONGEST);
        faults.check()?;
        let hash = hash(name, secret);
        self.store
            .read(move |tx: &mut Tx<'_>| standing(tx, &hash, now))
            .await
    }

    /// Opens a session that a cookie of this name shows.
    pub(crate) async fn open_for_cookie(
        self: &Arc<Self>,
        proven: Proven,
        name: &str,
        peer: &Peer,
    ) -> Result<SignedInByCookie, Error> {
        let (now, secret) = (self.clock.now(), digest::random_text()?);
        let life = self.config.cookie_life.min(self.config.session_life);
        let opening = Opening::draw(proven.word(), life, now)?;
        let cookie = Some(hash(name, &secret));
        let (user, _number, roles) = self.open(proven, &opening, cookie, peer, now).await?;
        let (user_id, user_name): (UserId, _) = (user.id, user.name);
        Ok(SignedInByCookie {
            identity: Identity {
                user_id,
                user_name,
                session_id: opening.id,
                roles,
            },
            cookie: secret,
            expires_at: opening.expires_at,
        })
    }
}
