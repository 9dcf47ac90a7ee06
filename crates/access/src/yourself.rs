//! What a signed-in user does for themselves: learn who they are, sign out, set a password, add a key.
//!
//! What it leaves to others: other people's accounts (`users`).

use std::sync::Arc;

use model::Timestamp;
use store::{Tx, params};

use crate::{
    Access, Error, Faults, Identity, Permit, Secret, Write,
    action::session::{AddKey, SetPassword, SignOut, WhoAmI},
    audit::{Entry, Outcome},
    ed25519, grants,
    password::{LONGEST, SHORTEST},
    password_proof, sessions,
    sign_in::{check_label, check_length},
};

/// The most keys of one user.
const MOST_KEYS: usize = 32;

impl Access {
    /// Tells who the caller is, with the roles of the moment.
    ///
    /// # Errors
    /// The store's own.
    pub async fn who_am_i(&self, permit: &Permit<WhoAmI>) -> Result<Identity, Error> {
        let user = permit.user()?.clone();
        let read = move |tx: &mut Tx<'_>| grants::words_of_user(tx, user.id);
        let (roles, user) = (permit.read(&self.house.store, read).await?, permit.user()?);
        Ok(Identity {
            user_id: user.id,
            user_name: user.name.clone(),
            session_id: user.session()?,
            roles,
        })
    }

    /// Ends the caller's session, with every token and open stream of it.
    ///
    /// # Errors
    /// The store's own.
    pub async fn sign_out(&self, permit: &Permit<SignOut>) -> Result<(), Error> {
        let session = permit.user()?.session()?;
        let end = move |write: &mut Write<'_, '_>| {
            let now = write.now();
            sessions::end(write, session, "signed out", now)
        };
        permit.write(&self.house.store, end).await
    }

    /// Sets the caller's password and ends all other sessions of the caller. The old password is wanted where
    /// one is set.
    ///
    /// # Errors
    /// `Invalid` for a new password that is not 12 to 1024 bytes; `Denied` where the old one is not right;
    /// `Exhausted` after too many wrong ones; `Conflict` where it was set by somebody else meanwhile.
    pub async fn set_password(
        &self,
        permit: &Permit<SetPassword>,
        old: Option<&Secret>,
        new: &Secret,
    ) -> Result<(), Error> {
        let mut faults = Faults::default();
        check_length(
            &mut faults,
            "old_password",
            old.map_or(0, |old| old.expose().len()),
            0,
            LONGEST,
        );
        check_length(&mut faults, "new_password", new.expose().len(), SHORTEST, LONGEST);
        faults.check()?;
        let (house, user) = (&self.house, permit.user()?.clone());
        let id = user.id;
        let verifier = house.store.read(move |tx| stored_verifier(tx, id)).await?;
        if let Some(verifier) = &verifier {
            self.check_old(permit, old, verifier).await?;
        }
        let fresh = house.hasher.hash(new).await?;
        let (stored, own) = (password_proof::stored(&user.name, new), Arc::clone(house));
        let set = move |write: &mut Write<'_, '_>| {
            let now = write.now();
            if stored_verifier(write, user.id)? != verifier {
                return Err(Error::Raced {
                    step: "set the password",
                });
            }
            write.execute(
                "INSERT INTO passwords (user_id, verifier, set_at) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (user_id) DO UPDATE SET verifier = excluded.verifier, set_at = excluded.set_at",
                params![user.id, fresh.as_str(), now],
            )?;
            password_proof::keep(write, &own, user.id, &stored, now)?;
            write.execute("DELETE FROM sign_in_codes WHERE user_id = ?1", params![user.id])?;
            sessions::end_all_but(write, user.id, user.session, "password was set", now)?;
            Ok(())
        };
        permit.write(&house.store, set).await
    }

    async fn check_old(
        &self,
        permit: &Permit<SetPassword>,
        old: Option<&Secret>,
        verifier: &str,
    ) -> Result<(), Error> {
        let (house, peer) = (&self.house, permit.peer());
        let (name, now) = (permit.user()?.name.folded(), house.clock.now());
        house.tries.may_guess(&name, peer.address, now)?;
        let fits = match old {
            Some(old) => house.hasher.fits(old, Some(verifier)).await?,
            None => false,
        };
        if fits {
            house.tries.right(&name, peer.address);
            return Ok(());
        }
        house.tries.wrong(&name, peer.address, now);
        let entry = Entry::of(permit.actor(), peer, "session.set_password").because("old password");
        house.audit(entry, Outcome::Refused).await?;
        Err(Error::WrongOldPassword)
    }

    /// Adds an Ed25519 key with which the caller may sign in from now on.
    ///
    /// # Errors
    /// `Invalid` for a key that is not 32 bytes, not canonical or of small order, or a label that is not 1 to
    /// 64 characters; `Exists` for a key that signs in somebody already.
    pub async fn add_key(
        &self,
        permit: &Permit<AddKey>,
        public_key: &[u8],
        label: &str,
    ) -> Result<(), Error> {
        let mut faults = Faults::default();
        let key = ed25519::public_key(public_key);
        if key.is_none() {
            let what = format!("is no usable key ({} bytes)", public_key.len());
            faults.add("public_key", what, "a raw Ed25519 public key, 32 bytes");
        }
        check_label(&mut faults, label);
        faults.check()?;
        let (user, label) = (permit.user()?.id, label.to_owned());
        let key = key.map(hex::encode).unwrap_or_default();
        let add = move |write: &mut Write<'_, '_>| {
            let now: Timestamp = write.now();
            write.about(format_args!("key {key}"));
            let held = write.rows(
                "SELECT public_key FROM user_keys WHERE user_id = ?1",
                params![user],
            )?;
            if held.len() >= MOST_KEYS {
                let mut faults = Faults::default();
                faults.add(
                    "public_key",
                    format!("is one more than {MOST_KEYS}"),
                    "fewer keys of this user",
                );
                return Err(Error::Invalid(faults));
            }
            let added = write.execute(
                "INSERT INTO user_keys (public_key, user_id, label, added_at) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (public_key) DO NOTHING",
                params![key.as_str(), user, label.as_str(), now],
            )?;
            if added == 1 { Ok(()) } else { Err(Error::KeyTaken) }
        };
        permit.write(&self.house.store, add).await
    }
}

fn stored_verifier(tx: &mut Tx<'_>, user: model::UserId) -> Result<Option<String>, Error> {
    let row = tx.row("SELECT verifier FROM passwords WHERE user_id = ?1", params![user])?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}
