//! The use of a join token, in the transaction of whoever joins with it.
//!
//! What it leaves to others: what becomes of whoever joined (`join`, `register`).

use access::{Peer, SystemPermit};
use model::{Name, Timestamp};
use store::{Tx, params};

use crate::{Error, House, Join, TokenFault, own, tokens::note_time};

/// The kind of tokens for machines with keys of their own.
pub(crate) const NODE: &str = "node";
/// The kind of tokens for machines whose clients take short texts only.
pub(crate) const SHORT: &str = "short";

/// A use of a token.
pub(crate) struct Spent {
    /// The token's id.
    pub(crate) token: String,
    /// Whether it was made for the zone's own machine.
    pub(crate) is_own: bool,
}

/// Refuses a token that was never given, before anything is made for its bearer.
pub(crate) async fn expect_known(house: &House, hash: &str, is_short: bool) -> Result<(), Error> {
    let hash = hash.to_owned();
    let known = move |tx: &mut Tx<'_>| {
        let row = tx.row(
            "SELECT 1 FROM join_tokens WHERE hash = ?1 AND (kind = ?2) = ?3",
            params![hash.as_str(), SHORT, is_short],
        )?;
        Ok::<_, Error>(row.is_some())
    };
    if SystemPermit::new("nodes.join").read(&house.store, known).await? {
        Ok(())
    } else {
        let fault = TokenFault::Unknown;
        Err(Error::Token { fault })
    }
}

/// Counts a token that was refused. Whoever guesses too often hears of that instead.
pub(crate) fn refused(house: &House, peer: &Peer, error: Error) -> Error {
    let Error::Token { fault } = error else {
        return error;
    };
    // Whoever shows a token that was good once does not guess.
    if fault == TokenFault::Unknown && house.guesses.too_many(peer.address, house.time.now()) {
        return Error::TooManyRefused;
    }
    house.access.count_newcomer_refused::<Join>(peer);
    Error::Token { fault }
}

/// Uses a token up for one more machine, which is to have this name, or says why not. A short token is
/// none for whoever asks for another, and the other way round.
pub(crate) fn spend(
    tx: &mut Tx<'_>,
    hash: &str,
    is_short: bool,
    name: &Name,
    now: Timestamp,
) -> Result<Result<Spent, TokenFault>, Error> {
    let row = tx.row(
        "SELECT id, node_name, uses, used, ends_at, ended_at, kind FROM join_tokens \
         WHERE hash = ?1 AND (kind = ?2) = ?3",
        params![hash, SHORT, is_short],
    )?;
    let Some(row) = row else {
        return Ok(Err(TokenFault::Unknown));
    };
    let (token, bound): (String, Option<Name>) = (row.get(0)?, row.get(1)?);
    let (uses, used): (u32, u32) = (row.get(2)?, row.get(3)?);
    let (ends_at, ended_at): (Timestamp, Option<Timestamp>) = (row.get(4)?, row.get(5)?);
    if used >= uses {
        return Ok(Err(TokenFault::Used));
    }
    if ended_at.is_some() {
        let expired = ends_at <= now;
        return Ok(Err(if expired {
            TokenFault::Expired
        } else {
            TokenFault::Revoked
        }));
    }
    if ends_at <= now {
        // Written down, so that no clock brings it back.
        tx.execute(
            "UPDATE join_tokens SET ended_at = ends_at WHERE hash = ?1",
            params![hash],
        )?;
        note_time(tx, now)?;
        return Ok(Err(TokenFault::Expired));
    }
    if bound.is_some_and(|bound| bound != *name) {
        return Ok(Err(TokenFault::OtherName));
    }
    tx.execute(
        "UPDATE join_tokens SET used = used + 1, last_used_at = ?2 WHERE hash = ?1",
        params![hash, now],
    )?;
    let is_own = row.get::<String>(6)? == own::KIND;
    Ok(Ok(Spent { token, is_own }))
}
