//! Sign-in with a JWT that a user signed with a registered key: BuckyOS's way for programs that hold one.
//!
//! A user's key speaks for that user and for nobody else; the name `root` stands for the zone's owner. Each JWT is
//! good once, and is remembered until it would have ended. What it leaves to others: the form (`krpc`), and which
//! keys a user has (`yourself`).

use model::{Name, Span, Timestamp, UserId};
use store::{Tx, params};

use crate::{
    Access, Error, Faults, JwtFault, Peer, Secret, SignedIn, apps, digest, ed25519, grants,
    proven::{Once, Proven},
    sign_in::{self, Known, SIGN_IN, check_length},
    token,
};

/// The name that stands for the zone's owner.
const ROOT: &str = "root";
/// How long after its end a JWT is still taken, for clocks that go wrong.
const LEEWAY: Span = Span::from_secs(60);
/// How far ahead the end of a JWT may lie: so long it is remembered.
const MOST_AHEAD: Span = Span::from_secs(86_400);
/// The longest `jti` that is looked at, in bytes.
const LONGEST_JTI: usize = 256;

/// The claims of a login JWT, all there and within bounds; the signature is not proven yet.
struct Checked {
    issuer: String,
    subject: String,
    app_id: Name,
    token_id: String,
    ends_at: Timestamp,
}

const fn refused(fault: JwtFault) -> Error {
    Error::BadJwt { fault }
}

/// Says what was wrong with a JWT whose refusal was written down; other errors stay.
fn told_as(error: Error, fault: JwtFault) -> Error {
    if matches!(error, Error::BadProof) {
        refused(fault)
    } else {
        error
    }
}

fn required(claim: Option<&String>, name: &'static str) -> Result<String, Error> {
    claim.cloned().ok_or_else(|| refused(JwtFault::Missing(name)))
}

/// Judges everything that needs no key.
fn check(jwt: &krpc::Jwt<'_>, zone_id: &str, now: Timestamp) -> Result<Checked, Error> {
    let claims = &jwt.claims;
    let issuer = required(claims.issuer.as_ref(), "iss")?;
    if issuer == token::ISSUER {
        return Err(refused(JwtFault::OwnToken));
    }
    if jwt.key_id.as_ref().is_some_and(|key_id| *key_id != issuer) {
        return Err(refused(JwtFault::KeyId));
    }
    let subject = required(claims.subject.as_ref(), "sub")?;
    let app_id = required(claims.app_id.as_ref(), "appid")?;
    let token_id = required(claims.token_id.as_ref(), "jti")?;
    let expires_at = claims.expires_at.ok_or(refused(JwtFault::Missing("exp")))?;
    let ends_at = i64::try_from(expires_at).map_err(|_beyond| refused(JwtFault::TooLong))?;
    let ends_at = Timestamp::from_secs(ends_at);
    if now >= ends_at + LEEWAY {
        return Err(refused(JwtFault::Expired));
    }
    if ends_at > now + MOST_AHEAD {
        return Err(refused(JwtFault::TooLong));
    }
    let for_us = |audience: &String| [token::ISSUER, zone_id].contains(&audience.as_str());
    if !claims.audience.as_ref().is_none_or(for_us) {
        return Err(refused(JwtFault::Audience));
    }
    if issuer != subject && issuer != ROOT {
        return Err(refused(JwtFault::Subject));
    }
    let mut faults = Faults::default();
    check_length(&mut faults, "jti", token_id.len(), 1, LONGEST_JTI);
    let app_id = apps::read(&mut faults, &app_id);
    faults.check()?;
    Ok(Checked {
        issuer,
        subject,
        app_id: app_id.ok_or(refused(JwtFault::Claims))?,
        token_id,
        ends_at: ends_at + LEEWAY,
    })
}

/// The users whose keys may have signed for this issuer: the one of that name, or the zone's owners.
fn signers(tx: &mut Tx<'_>, issuer: &str) -> Result<Vec<Known>, Error> {
    if issuer != ROOT {
        let known = sign_in::find(tx, issuer)?;
        return Ok(known
            .into_iter()
            .filter(|known| known.name.as_str() == issuer)
            .collect());
    }
    let mut all = Vec::new();
    for owner in grants::owners(tx)? {
        let row = tx.row("SELECT name FROM users WHERE id = ?1", params![owner])?;
        let name: String = row.ok_or(Error::Row { what: "user" })?.get(0)?;
        all.extend(sign_in::find(tx, &name)?);
    }
    Ok(all)
}

fn keys(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<String>, Error> {
    let rows = tx.rows(
        "SELECT public_key FROM user_keys WHERE user_id = ?1 ORDER BY public_key",
        params![user],
    )?;
    rows.iter().map(|row| row.get(0).map_err(Error::from)).collect()
}

impl Access {
    /// Opens a session for a JWT that a registered key of its issuer signed, once.
    ///
    /// # Errors
    /// `Unauthenticated` saying what is wrong with the JWT, or that it was used before; an unknown issuer reads
    /// like a wrong signature. `Denied` for the app id of a part of the system; `Invalid` for an app id or `jti`
    /// that cannot be one.
    pub async fn sign_in_by_jwt(&self, jwt: Secret, peer: &Peer) -> Result<SignedIn, Error> {
        let (house, now) = (&self.house, self.house.clock.now());
        let parsed = krpc::Jwt::parse(jwt.expose()).map_err(|fault| {
            refused(match fault {
                krpc::BadToken::NotJwt => JwtFault::NotJwt,
                krpc::BadToken::Header => JwtFault::Header,
                krpc::BadToken::Algorithm => JwtFault::Algorithm,
                krpc::BadToken::Claims => JwtFault::Claims,
            })
        });
        let checked = parsed.and_then(|jwt| Ok((check(&jwt, house.root.zone_id(), now)?, jwt)));
        let (checked, parsed) = checked.inspect_err(|_fault| house.anonymous.count(peer, SIGN_IN, now))?;
        let (issuer, app_id) = (checked.issuer.clone(), checked.app_id.clone());
        let look = move |tx: &mut Tx<'_>| {
            apps::check(tx, &app_id)?;
            let mut all = Vec::new();
            for known in signers(tx, &issuer)? {
                let keys = keys(tx, known.id)?;
                all.push((known, keys));
            }
            Ok::<_, Error>(all)
        };
        let (mut signed, mut suspect) = (None, None);
        for (known, keys) in house.store.read(look).await? {
            let fits = |key: &String| {
                let key = hex::decode(key).unwrap_or_default();
                ed25519::verify(&key, parsed.signed(), parsed.signature())
            };
            match keys.into_iter().find(fits) {
                Some(key) => signed = Some((known, key)),
                None => suspect = Some(known),
            }
        }
        let Some((known, public_key)) = signed else {
            let error = house.bad_unguessable(peer, suspect, "jwt").await;
            return Err(told_as(error, JwtFault::Signature));
        };
        let speaks_for = [ROOT, known.name.as_str()];
        if !speaks_for.contains(&checked.subject.as_str()) {
            let error = house.bad_unguessable(peer, Some(known), "jwt for another").await;
            return Err(told_as(error, JwtFault::Subject));
        }
        let (app_id, user) = (checked.app_id, known.id);
        let used = format!("login jwt\0{user}\0{app_id}\0{}", checked.token_id);
        let proven = Proven::Jwt {
            user,
            public_key,
            once: Once {
                hash: digest::sha256_hex(used.as_bytes()),
                ends_at: checked.ends_at,
            },
        };
        house.open_session(proven, app_id.as_str(), peer).await
    }
}
