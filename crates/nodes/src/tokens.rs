//! Join tokens as administrators see them: made, listed, ended.
//!
//! What it leaves to others: their use (`join`).

use access::{Faults, Permit, Secret, Write};
use model::{Id, Name, Span, Timestamp};
use store::{Row, Tx, params};

use crate::{
    Error, Handle, ListTokens, MakeToken, RevokeToken, TokenText, short,
    spend::{NODE, SHORT},
};

/// The longest life of a token: 30 days.
const LONGEST: Span = Span::from_secs(30 * 86_400);
/// The life of a token that asks for none.
const LIFE: Span = Span::from_secs(15 * 60);
/// The most uses of a token.
const MOST_USES: u32 = 1000;

/// Marks ids of tokens.
pub(crate) enum OfToken {}

/// A token that is to be made, as asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenWish {
    /// The only name with which it may be used; empty: any.
    pub node_name: String,
    /// How many machines may join with it, 1 to 1000; 0 means 1. A bound token has one use.
    pub uses: u32,
    /// How long it is good, up to 30 days; none: 15 minutes.
    pub life: Option<Span>,
    /// Whether it is for a client that takes 16 hexadecimal digits only, and so for [`Handle::register`].
    pub short: bool,
}

/// A token as listed; its secret is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What names it in lists and in the audit trail.
    pub id: String,
    /// The only name with which it may be used.
    pub node_name: Option<Name>,
    /// How many machines may join with it.
    pub uses: u32,
    /// How many have.
    pub used: u32,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// When it was used last.
    pub last_used_at: Option<Timestamp>,
    /// Whether a machine can join with it now.
    pub good: bool,
}

/// The parts of a wish, proven good.
struct Checked {
    node_name: Option<Name>,
    uses: u32,
    life: Span,
}

impl TokenWish {
    fn check(&self) -> Result<Checked, Error> {
        let mut faults = Faults::default();
        let node_name: Option<Result<Name, _>> = (!self.node_name.is_empty()).then(|| self.node_name.parse());
        if let Some(Err(fault)) = &node_name {
            let what = format!("is not a name: {fault}");
            faults.add("node_name", what, "[a-z][a-z0-9-]{0,31}, or nothing");
        }
        let uses = self.uses.max(1);
        if uses > MOST_USES {
            faults.add("uses", format!("is {uses}"), format!("1 to {MOST_USES}"));
        } else if node_name.is_some() && uses > 1 {
            faults.add("uses", format!("is {uses}"), "1 where `node_name` is given");
        }
        let life = self.life.unwrap_or(LIFE);
        if life <= Span::ZERO || life > LONGEST {
            faults.add(
                "life",
                format!("is {} s", life.secs()),
                "more than 0 s and at most 30 days",
            );
        }
        if !faults.0.is_empty() {
            return Err(Error::Invalid(faults));
        }
        Ok(Checked {
            node_name: node_name.and_then(Result::ok),
            uses,
            life,
        })
    }
}

impl Handle {
    /// Makes a token; its text is given here and never again.
    ///
    /// # Errors
    /// `Invalid` naming every field at fault; the store's own.
    pub async fn make_token(
        &self,
        permit: &Permit<MakeToken>,
        wish: &TokenWish,
    ) -> Result<(Token, Secret), Error> {
        let Checked {
            node_name,
            uses,
            life,
        } = wish.check()?;
        let (kind, text, hash) = if wish.short {
            let text = short::draw();
            let hash = short::hash(text.expose());
            (SHORT, text, hash)
        } else {
            let token = TokenText::draw(self.house.access.zone().ca_fingerprint());
            (NODE, token.text(), token.hash())
        };
        let made_at = self.house.time.now();
        let token = Token {
            id: Id::<OfToken>::fresh(made_at).to_string(),
            node_name,
            uses,
            used: 0,
            made_at,
            ends_at: made_at + life,
            last_used_at: None,
            good: true,
        };
        let made = token.clone();
        let make = move |write: &mut Write<'_, '_>| {
            write.about(format_args!("token {}", made.id));
            write.execute(
                "INSERT INTO join_tokens (hash, id, kind, node_name, uses, used, made_at, ends_at) \
                 VALUES (?1, ?2, ?7, ?3, ?4, 0, ?5, ?6)",
                params![
                    hash.as_str(),
                    made.id.as_str(),
                    made.node_name.as_ref().map(|name| name.as_str().to_owned()),
                    made.uses,
                    made.made_at,
                    made.ends_at,
                    kind
                ],
            )?;
            note_time(write, made.made_at)
        };
        permit.write(&self.house.store, make).await?;
        Ok((token, text))
    }

    /// Lists the tokens, the newest first, 1000 at most.
    ///
    /// # Errors
    /// The store's own.
    pub async fn tokens(&self, permit: &Permit<ListTokens>) -> Result<Vec<Token>, Error> {
        let now = self.house.time.now();
        let read = move |tx: &mut Tx<'_>| {
            let rows = tx.rows(
                "SELECT id, node_name, uses, used, made_at, ends_at, last_used_at, ended_at FROM join_tokens \
                 WHERE kind <> 'own' ORDER BY id DESC LIMIT 1000",
                &[],
            )?;
            rows.iter().map(|row| token(row, now)).collect()
        };
        permit.read(&self.house.store, read).await
    }

    /// Ends a token by its id; machines that joined with it stay.
    ///
    /// # Errors
    /// `NotFound` for an unknown id; the store's own.
    pub async fn revoke_token(&self, permit: &Permit<RevokeToken>, id: &str) -> Result<(), Error> {
        // What cannot be an id names nothing, and is not repeated: it may be the token itself.
        let id = id.parse::<Id<OfToken>>().map_err(|_bad_id| Error::NotFound {
            what: "a token of this id".to_owned(),
        })?;
        let now = self.house.time.now();
        let end = move |write: &mut Write<'_, '_>| {
            write.about(format_args!("token {id}"));
            let ended = write.execute(
                "UPDATE join_tokens SET ended_at = COALESCE(ended_at, ?1) WHERE id = ?2",
                params![now, id],
            )?;
            if ended == 0 {
                let what = format!("token `{id}`");
                return Err(Error::NotFound { what });
            }
            Ok(())
        };
        permit.write(&self.house.store, end).await
    }
}

/// Notes the latest instant that tokens were judged by.
pub(crate) fn note_time(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "UPDATE nodes_zone SET latest = ?1 WHERE one = 1 AND latest < ?1",
        params![now],
    )?;
    Ok(())
}

fn token(row: &Row, now: Timestamp) -> Result<Token, Error> {
    let (uses, used, ends_at): (u32, u32, Timestamp) = (row.get(2)?, row.get(3)?, row.get(5)?);
    let ended_at: Option<Timestamp> = row.get(7)?;
    Ok(Token {
        id: row.get(0)?,
        node_name: row.get(1)?,
        uses,
        used,
        made_at: row.get(4)?,
        ends_at,
        last_used_at: row.get(6)?,
        good: ended_at.is_none() && used < uses && ends_at > now,
    })
}
