//! BuckyOS's sign-in by a proof of the password, and the sealed second verifier that it needs.
//!
//! The proof is a hash over a value that is as good as the password itself, so that value is kept only sealed,
//! only where the password was seen in the clear, and only while the zone allows it; argon2id stays the verifier
//! of every other sign-in. What it leaves to others: the formula (`krpc`), tries (`tries`), sessions.

use std::sync::Arc;

use model::{Name, Span, Timestamp, UserId};
use store::Tx;
use subtle::ConstantTimeEq as _;

use crate::{
    Access, Error, Faults, Peer, Secret, SignedIn, apps, digest,
    house::House,
    proven::{Once, Proven},
    seal::Seal,
    sign_in::{self, SIGN_IN, check_length, check_name},
};

/// How far a nonce may lie from the zone's clock, to either side.
const WINDOW: Span = Span::from_secs(5 * 60);
/// The longest proof that is looked at, in bytes; a good one has 44.
const LONGEST: usize = 128;

/// What a client shows instead of a password.
pub struct PasswordLogin {
    /// Who wants to sign in.
    pub user_name: String,
    /// base64 of SHA-256 over the stored value and the nonce.
    pub proof: Secret,
    /// The nonce: milliseconds since the epoch.
    pub nonce_millis: u64,
    /// The app for which the session is opened.
    pub app_id: String,
}

fn record(user: UserId) -> String {
    format!("password proof/{user}")
}

/// The stored form of a password; as good as the password.
pub(crate) fn stored(user_name: &Name, password: &Secret) -> Secret {
    Secret::from(krpc::stored_password(user_name.as_str(), password.expose()))
}

/// Keeps the stored form of a password that was just set, or forgets the one before where none is to be kept.
pub(crate) fn keep(
    tx: &mut Tx<'_>,
    house: &House,
    user: UserId,
    stored: &Secret,
    now: Timestamp,
) -> Result<(), Error> {
    if house.config.password_proof {
        house.seal.put(tx, &record(user), stored.expose().as_bytes(), now)
    } else {
        Seal::remove(tx, &record(user))
    }
}

/// Keeps the stored form of a password that was just shown, where none is kept yet.
pub(crate) fn keep_missing(
    tx: &mut Tx<'_>,
    house: &House,
    user: UserId,
    stored: &Secret,
    now: Timestamp,
) -> Result<(), Error> {
    if house.config.password_proof && !Seal::holds(tx, &record(user))? {
        keep(tx, house, user, stored, now)?;
    }
    Ok(())
}

/// Forgets every stored form: the zone takes no proofs.
pub(crate) fn forget_all(tx: &mut Tx<'_>) -> Result<(), Error> {
    tx.execute("DELETE FROM sealed WHERE name LIKE 'password proof/%'", &[])?;
    Ok(())
}

fn open(tx: &mut Tx<'_>, house: &House, user: UserId) -> Result<Option<Secret>, Error> {
    let Some(bytes) = house.seal.open(tx, &record(user))? else {
        return Ok(None);
    };
    let text = String::from_utf8(bytes.to_vec()).map_err(|_not_text| Error::Row {
        what: "password proof",
    })?;
    Ok(Some(Secret::from(text)))
}

/// Tells whether this is still what is kept of the user's password.
pub(crate) fn still(tx: &mut Tx<'_>, house: &House, user: UserId, stored: &Secret) -> Result<bool, Error> {
    let kept = open(tx, house, user)?;
    Ok(kept.is_some_and(|kept| same(kept.expose(), stored.expose())))
}

fn same(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

/// Tells whether a nonce lies within the window.
fn is_near(nonce_millis: u64, now: Timestamp) -> bool {
    let nonce = i64::try_from(nonce_millis)
        .ok()
        .and_then(|millis| millis.checked_mul(1000));
    nonce.is_some_and(|micros| now.micros().abs_diff(micros) <= WINDOW.micros().unsigned_abs())
}

impl Access {
    /// Opens a session for a proof of the password. The answer takes as long and reads the same for an unknown
    /// name and for a wrong proof.
    ///
    /// # Errors
    /// `Invalid` naming every field at fault, or for a nonce more than five minutes from the zone's clock;
    /// `Denied` for the app id of a part of the system; `Unauthenticated` for a proof that is not good, or a
    /// nonce used before; `Precondition` where proofs are switched off; `Exhausted` after too many tries.
    pub async fn sign_in_by_password_proof(
        &self,
        login: PasswordLogin,
        peer: &Peer,
    ) -> Result<SignedIn, Error> {
        let (house, now) = (&self.house, self.house.clock.now());
        let mut faults = Faults::default();
        check_name(&mut faults, &login.user_name);
        check_length(&mut faults, "password", login.proof.expose().len(), 1, LONGEST);
        let app_id = apps::read(&mut faults, &login.app_id);
        faults.check()?;
        house.enter(peer, SIGN_IN, now)?;
        if !house.config.password_proof {
            return Err(Error::ProofsOff);
        }
        if !is_near(login.nonce_millis, now) {
            return Err(Error::NonceAstray {
                now_millis: now.micros() / 1000,
                window_secs: WINDOW.secs(),
            });
        }
        let folded = sign_in::fold(&login.user_name);
        let may = house.tries.may_guess(&folded, peer.address, now);
        may.inspect_err(|_error| house.anonymous.count(peer, SIGN_IN, now))?;
        let (own, name) = (Arc::clone(house), folded.clone());
        let look = move |tx: &mut Tx<'_>| {
            if let Some(app_id) = &app_id {
                apps::check(tx, app_id)?;
            }
            let known = sign_in::find(tx, &name)?;
            let stored = known.as_ref().map(|known| open(tx, &own, known.id)).transpose()?;
            Ok::<_, Error>((known, stored.flatten()))
        };
        let (known, stored) = house.store.read(look).await?;
        // Where nothing is kept, the same work is done with a value that nobody has.
        let guessed = stored.as_ref().map_or("", Secret::expose);
        let fits = same(
            &krpc::password_proof(guessed, login.nonce_millis),
            login.proof.expose(),
        );
        match (known, stored) {
            (Some(known), Some(stored)) if fits => {
                house.tries.right(&folded, peer.address);
                let once = Once {
                    hash: used(known.id, login.nonce_millis),
                    ends_at: now + WINDOW + WINDOW,
                };
                let proven = Proven::PasswordProof {
                    user: known.id,
                    stored: Arc::new(stored),
                    once,
                };
                house.open_session(proven, &login.app_id, peer).await
            }
            (known, _) => {
                house.tries.wrong(&folded, peer.address, now);
                Err(house.bad_proof(peer, known, "password proof").await)
            }
        }
    }
}

/// The hash under which a used nonce is remembered. The proof does not cover the app, so the app is left out.
fn used(user: UserId, nonce_millis: u64) -> String {
    digest::sha256_hex(format!("password proof\0{user}\0{nonce_millis}").as_bytes())
}
