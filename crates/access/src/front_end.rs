//! Front ends: programs that speak for many people and show a token of their own, such as SCOW's web pages.
//!
//! A front end has no session. Its right is its ceiling, a role of the configuration; where it speaks for a user, its
//! right is what both have, over that user's own things alone. What it leaves to others: reading the token's file
//! (crate `soke`), and for whom a request speaks (the doors).

use std::fmt;

use model::Name;
use store::{Tx, params};
use subtle::ConstantTimeEq as _;

use crate::{Actor, Error, Faults, Peer, Role, Secret, UserActor, digest, house::House};

/// The action under which front ends are refused that name nobody.
const SPEAK: &str = "session.speak_for";

/// A front end of the configuration. It keeps no token, only the SHA-256 of one.
#[derive(Clone, PartialEq, Eq)]
pub struct FrontEnd {
    name: String,
    ceiling: Role,
    token_hash: [u8; 32],
}

impl fmt::Debug for FrontEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrontEnd({} as {})", self.name, self.ceiling)
    }
}

impl FrontEnd {
    /// The shortest token in bytes: nobody counts wrong ones by front end, so it has to be beyond guessing.
    pub const SHORTEST_TOKEN: usize = 32;
    /// The longest token in bytes.
    pub const LONGEST_TOKEN: usize = 1024;

    /// A front end of this name, with this token, whose right never reaches further than the role `ceiling`.
    ///
    /// # Errors
    /// `Invalid` for a token that is not 32 to 1024 of the letters that a bearer may have (RFC 6750, section 2.1).
    pub fn new(name: &str, token: &Secret, ceiling: Role) -> Result<Self, Error> {
        let mut faults = Faults::default();
        let text = token.expose();
        let fits = (Self::SHORTEST_TOKEN..=Self::LONGEST_TOKEN).contains(&text.len())
            && text.bytes().all(is_token_byte);
        if !fits {
            let what = format!("has {} bytes, or some that no bearer has", text.len());
            faults.add("front end token", what, "32 to 1024 of A-Z a-z 0-9 - . _ ~ + / =");
        }
        faults.check()?;
        Ok(Self {
            name: name.to_owned(),
            ceiling,
            token_hash: digest::sha256(text.as_bytes()),
        })
    }

    fn has(&self, token: &Secret) -> bool {
        let shown = digest::sha256(token.expose().as_bytes());
        shown.ct_eq(&self.token_hash).into()
    }
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

/// A front end that makes a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontEndActor {
    /// Its name in the configuration.
    pub name: String,
    /// The role beyond which its right never reaches.
    pub ceiling: Role,
    /// The user for whom it speaks; none: it speaks for itself. That user has no session here.
    pub speaks_for: Option<UserActor>,
}

impl House {
    /// The front end with this token, where there is one.
    pub(crate) fn front_end(&self, token: &Secret) -> Option<&FrontEnd> {
        let front_end = self.config.front_end.as_ref();
        front_end.filter(|front_end| front_end.has(token))
    }

    /// The front end, speaking for this user; for itself where none is named.
    ///
    /// # Errors
    /// `Invalid` for what cannot be a user's name; `Denied`, with an audit row, for one that is nobody's.
    pub(crate) async fn speak(
        &self,
        front_end: &FrontEnd,
        user: Option<String>,
        peer: &Peer,
    ) -> Result<Actor, Error> {
        let mut actor = FrontEndActor {
            name: front_end.name.clone(),
            ceiling: front_end.ceiling,
            speaks_for: None,
        };
        let Some(user) = user else {
            return Ok(Actor::FrontEnd(actor));
        };
        let name = Name::imported(&user).map_err(|fault| {
            let mut faults = Faults::default();
            faults.add(
                "user_id",
                format!("is no user's name: {fault}"),
                "the name of a user of the zone",
            );
            Error::Invalid(faults)
        })?;
        let wanted = name.clone();
        let found = self.store.read(move |tx| person(tx, &wanted)).await?;
        let Some(person) = found else {
            let object = format!("user {name}");
            let refusal = Error::SpeaksForNobody {
                name: name.to_string(),
            };
            let actor = Actor::FrontEnd(actor);
            self.audit_refusal(&actor, peer, SPEAK, &object, &refusal).await?;
            return Err(refusal);
        };
        actor.speaks_for = Some(person);
        Ok(Actor::FrontEnd(actor))
    }
}

/// The user whose name is this one to the letter, without a session.
fn person(tx: &mut Tx<'_>, name: &Name) -> Result<Option<UserActor>, Error> {
    let row = tx.row(
        "SELECT id, name, number, unix_name FROM users WHERE folded = ?1 AND name = ?2",
        params![name.folded(), name],
    )?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(UserActor {
        id: row.get(0)?,
        name: row.get(1)?,
        number: row.get(2)?,
        session: None,
        unix_name: row.get(3)?,
    }))
}
