//! Sessions as rows: opening, carrying on, ending, and looking whether one still stands.
//!
//! What it leaves to others: proofs (`sign_in`) and tokens (`token`).

use model::{SessionId, Span, Timestamp, UserId};
use store::{Tx, params};
use subtle::ConstantTimeEq as _;

use crate::{Error, Peer, UserActor, digest};

/// The topic under which the end of a session is announced; the key is the session's id.
pub(crate) const TOPIC: &str = "access.sessions";

/// A session that is about to begin. Everything random in it was drawn before the transaction.
#[derive(Clone)]
pub(crate) struct Opening {
    pub(crate) id: SessionId,
    /// Numbers to choose the first free one from; two sessions never share one.
    pub(crate) numbers: [u64; 4],
    pub(crate) proof: &'static str,
    pub(crate) refresh_jti: String,
    pub(crate) expires_at: Timestamp,
}

/// A random number of 1 to 53 bits, never 0: what a JavaScript number holds exactly.
fn number() -> Result<u64, Error> {
    Ok((u64::from_le_bytes(digest::random()?) >> 11).max(1))
}

impl Opening {
    pub(crate) fn draw(proof: &'static str, life: Span, now: Timestamp) -> Result<Self, Error> {
        Ok(Self {
            id: SessionId::fresh(now),
            numbers: [number()?, number()?, number()?, number()?],
            proof,
            refresh_jti: digest::random_text()?.expose().to_owned(),
            expires_at: now + life,
        })
    }

    /// Writes the row; gives the number that was free.
    pub(crate) fn write(
        &self,
        tx: &mut Tx<'_>,
        user: UserId,
        peer: &Peer,
        now: Timestamp,
    ) -> Result<u64, Error> {
        for number in self.numbers {
            let stored = stored_number(number)?;
            if tx
                .row("SELECT 1 FROM sessions WHERE number = ?1", params![stored])?
                .is_some()
            {
                continue;
            }
            tx.execute(
                "INSERT INTO sessions (id, number, user_id, proof, door, address, opened_at, expires_at, last_at, \
                 refresh_hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?7, ?9)",
                params![
                    self.id,
                    stored,
                    user,
                    self.proof,
                    peer.door,
                    peer.address_text(),
                    now,
                    self.expires_at,
                    digest::sha256_hex(self.refresh_jti.as_bytes())
                ],
            )?;
            return Ok(number);
        }
        Err(Error::Raced {
            step: "open a session",
        })
    }
}

pub(crate) fn stored_number(number: u64) -> Result<i64, Error> {
    i64::try_from(number).map_err(|_too_large| Error::Row {
        what: "session number",
    })
}

/// A session that stands, with its user.
pub(crate) struct Standing {
    pub(crate) user: UserActor,
    pub(crate) opened_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    refresh_hash: String,
}

const STANDING: &str = "SELECT s.id, s.opened_at, s.expires_at, s.ended_at, s.refresh_hash, u.id, u.name, u.number, \
     u.unix_name FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.number = ?1";

/// The session with this number, where it stands at `now`.
///
/// # Errors
/// `Unauthenticated` where it has ended or never was.
pub(crate) fn standing(tx: &mut Tx<'_>, number: u64, now: Timestamp) -> Result<Standing, Error> {
    let row = tx
        .row(STANDING, params![stored_number(number)?])?
        .ok_or(Error::SessionEnded)?;
    let (expires_at, ended_at): (Timestamp, Option<Timestamp>) = (row.get(2)?, row.get(3)?);
    if ended_at.is_some() || expires_at <= now {
        return Err(Error::SessionEnded);
    }
    let user = UserActor {
        id: row.get(5)?,
        name: row.get(6)?,
        number: row.get(7)?,
        session: Some(row.get(0)?),
        unix_name: row.get(8)?,
    };
    Ok(Standing {
        user,
        opened_at: row.get(1)?,
        expires_at,
        refresh_hash: row.get(4)?,
    })
}

impl Standing {
    /// Tells whether this is the refresh token that was given last.
    pub(crate) fn is_latest(&self, jti: &str) -> bool {
        digest::sha256_hex(jti.as_bytes())
            .as_bytes()
            .ct_eq(self.refresh_hash.as_bytes())
            .into()
    }
}

/// Notes the next refresh token of a session, and its new end.
pub(crate) fn carry_on(
    tx: &mut Tx<'_>,
    session: SessionId,
    jti: &str,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE sessions SET refresh_hash = ?1, expires_at = ?2, last_at = ?3 WHERE id = ?4",
        params![digest::sha256_hex(jti.as_bytes()), expires_at, now, session],
    )?;
    Ok(())
}

/// Whose the session is, and until when it stands.
///
/// # Errors
/// `Unauthenticated` where it has ended or never was.
pub(crate) fn check_open(
    tx: &mut Tx<'_>,
    session: SessionId,
    now: Timestamp,
) -> Result<(UserId, Timestamp), Error> {
    let sql = "SELECT user_id, expires_at, ended_at FROM sessions WHERE id = ?1";
    let row = tx.row(sql, params![session])?.ok_or(Error::SessionEnded)?;
    let (expires_at, ended_at): (Timestamp, Option<Timestamp>) = (row.get(1)?, row.get(2)?);
    if ended_at.is_some() || expires_at <= now {
        return Err(Error::SessionEnded);
    }
    Ok((row.get(0)?, expires_at))
}

/// Ends the standing sessions of a user but one; tells how many.
pub(crate) fn end_all_but(
    tx: &mut Tx<'_>,
    user: UserId,
    kept: Option<SessionId>,
    reason: &'static str,
    now: Timestamp,
) -> Result<u32, Error> {
    let rows = tx.rows(
        "SELECT id FROM sessions WHERE user_id = ?1 AND ended_at IS NULL AND expires_at > ?2",
        params![user, now],
    )?;
    let mut ended = 0;
    for row in rows {
        let session: SessionId = row.get(0)?;
        if kept != Some(session) {
            end(tx, session, reason, now)?;
            ended += 1;
        }
    }
    Ok(ended)
}

/// Ends a session: every token and open stream of it ends with this transaction.
pub(crate) fn end(
    tx: &mut Tx<'_>,
    session: SessionId,
    reason: &'static str,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE sessions SET ended_at = ?1, end_reason = ?2 WHERE id = ?3 AND ended_at IS NULL",
        params![now, reason, session],
    )?;
    tx.change(TOPIC, &session.to_string())?;
    Ok(())
}
