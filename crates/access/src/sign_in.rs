//! Opening a session with one proof, and carrying it on with a refresh token.
//!
//! Every try leaves an audit row, good or bad; tries beyond the limits are counted by address and minute.
//! What it leaves to others: the proofs' own rules (`password`, `ed25519`, `tries`).

use std::sync::Arc;

use model::{Name, Timestamp, UserId};
use store::{Tx, params};

use crate::{
    Access, Error, Faults, Peer, Proof, Secret, SignedIn, UserActor, apps,
    audit::{self, Entry, Outcome},
    cookies, digest,
    ed25519::{self, Answered},
    grants,
    house::House,
    password, password_proof,
    proven::{Proven, settle},
    refresh::Holder,
    sessions::{self, Opening},
    wallets,
};

pub(crate) const SIGN_IN: &str = "session.sign_in";

/// The longest challenge that is looked at, in bytes.
const LONGEST_CHALLENGE: usize = 1024;
/// The longest code that is looked at, in bytes.
const LONGEST_CODE: usize = 128;

/// What stands in the store about a name.
pub(crate) struct Known {
    pub(crate) id: UserId,
    pub(crate) name: Name,
    verifier: Option<String>,
}

impl Access {
    /// Gives the bytes that a key signs to sign in: they name the zone, the user and their end after 60 s. An
    /// unknown name gets a challenge too.
    ///
    /// # Errors
    /// `Invalid` for a text that cannot be a name.
    pub fn challenge(&self, user_name: &str) -> Result<Vec<u8>, Error> {
        let mut faults = Faults::default();
        check_name(&mut faults, user_name);
        faults.check()?;
        let now = self.house.clock.now();
        self.house.challenges.make(user_name, now)
    }

    /// Opens a session for whoever the proof is good for.
    ///
    /// # Errors
    /// `Unauthenticated`, with the same text whatever is not good; `Invalid` naming every field at fault;
    /// `Exhausted` after too many tries; `Unavailable` where too many sign in at once; the store's own.
    pub async fn sign_in(&self, proof: Proof, peer: &Peer) -> Result<SignedIn, Error> {
        check_proof(&proof)?;
        let now = self.house.clock.now();
        let proven = match proof {
            Proof::Password { user_name, password } => {
                self.house
                    .prove_password(&user_name, &password, peer, now)
                    .await?
            }
            Proof::Key {
                user_name,
                challenge,
                signature,
                public_key,
            } => {
                let answered = self.house.challenges.read(&challenge, &user_name, now);
                let good = ed25519::verify(&public_key, &challenge, &signature);
                let answered = answered.filter(|_| good);
                self.house
                    .prove_key(&user_name, &public_key, answered, peer)
                    .await?
            }
            Proof::LinkCode(code) => self.house.prove_code(&code, peer).await?,
            Proof::Wallet { text, signature } => {
                self.house.prove_wallet(&text, &signature, peer, now).await?
            }
        };
        self.house.open_session(proven, apps::OWN, peer).await
    }
}

/// Passes where every field of the proof can be one, and names all that cannot.
fn check_proof(proof: &Proof) -> Result<(), Error> {
    let mut faults = Faults::default();
    match proof {
        Proof::Password { user_name, password } => {
            check_name(&mut faults, user_name);
            check_length(
                &mut faults,
                "password",
                password.expose().len(),
                1,
                password::LONGEST,
            );
        }
        Proof::Key {
            user_name,
            challenge,
            signature,
            public_key,
        } => {
            check_name(&mut faults, user_name);
            check_length(&mut faults, "challenge", challenge.len(), 1, LONGEST_CHALLENGE);
            check_length(&mut faults, "signature", signature.len(), 64, 64);
            check_length(&mut faults, "public_key", public_key.len(), 32, 32);
        }
        Proof::LinkCode(code) => check_length(&mut faults, "link_code", code.expose().len(), 1, LONGEST_CODE),
        Proof::Wallet { text, signature } => wallets::check(&mut faults, text, signature),
    }
    faults.check()
}

pub(crate) fn check_name(faults: &mut Faults, user_name: &str) {
    check_name_in(faults, "user_name", user_name);
}

pub(crate) fn check_name_in(faults: &mut Faults, field: &'static str, user_name: &str) {
    // The text itself is not repeated: a password is easily typed into the wrong field.
    if Name::imported(user_name).is_err() {
        let most = Name::MOST_IMPORTED;
        faults.add(
            field,
            "is not a name",
            format!("1 to {most} of a-z, A-Z, 0-9, _ . @ -"),
        );
    }
}

pub(crate) fn check_length(
    faults: &mut Faults,
    field: &'static str,
    found: usize,
    least: usize,
    most: usize,
) {
    if !(least..=most).contains(&found) {
        let want = if least == most {
            format!("{least} bytes")
        } else {
            format!("{least} to {most} bytes")
        };
        faults.add(field, format!("has {found} bytes"), want);
    }
}

/// Notes what is no name that a user gives to a key or a wallet.
pub(crate) fn check_label(faults: &mut Faults, label: &str) {
    let length = label.chars().count();
    if !(1..=64).contains(&length) || label.chars().any(char::is_control) {
        faults.add(
            "label",
            format!("has {length} characters"),
            "1 to 64 that can be seen",
        );
    }
}

pub(crate) fn fold(user_name: &str) -> String {
    user_name.to_ascii_lowercase()
}

pub(crate) fn find(tx: &mut Tx<'_>, user_name: &str) -> Result<Option<Known>, Error> {
    let row = tx.row(
        "SELECT u.id, u.name, p.verifier FROM users u LEFT JOIN passwords p ON p.user_id = u.id WHERE u.folded = ?1",
        params![fold(user_name)],
    )?;
    row.map(|row| {
        Ok(Known {
            id: row.get(0)?,
            name: row.get(1)?,
            verifier: row.get(2)?,
        })
    })
    .transpose()
}

impl House {
    /// Counts a try of this address, and the refusal where it was one too many.
    pub(crate) fn enter(&self, peer: &Peer, action: &'static str, now: Timestamp) -> Result<(), Error> {
        let entered = self.tries.enter(peer.address, now);
        entered.inspect_err(|_error| self.anonymous.count(peer, action, now))
    }

    async fn prove_password(
        &self,
        user_name: &str,
        password: &Secret,
        peer: &Peer,
        now: Timestamp,
    ) -> Result<Proven, Error> {
        // Counted before it is hashed: a hash costs more than all the rest.
        self.enter(peer, SIGN_IN, now)?;
        let folded = fold(user_name);
        let may = self.tries.may_guess(&folded, peer.address, now);
        may.inspect_err(|_error| self.anonymous.count(peer, SIGN_IN, now))?;
        let name = user_name.to_owned();
        let known = self.store.read(move |tx| find(tx, &name)).await?;
        let verifier = known.as_ref().and_then(|known| known.verifier.as_deref());
        let fits = self.hasher.fits(password, verifier).await?;
        match known {
            Some(Known {
                id: user,
                name,
                verifier: Some(verifier),
            }) if fits => {
                self.tries.right(&folded, peer.address);
                let stored = Arc::new(password_proof::stored(&name, password));
                Ok(Proven::Password {
                    user,
                    verifier,
                    stored,
                })
            }
            known => {
                self.tries.wrong(&folded, peer.address, now);
                Err(self.bad_proof(peer, known, "password").await)
            }
        }
    }

    async fn prove_key(
        &self,
        user_name: &str,
        public_key: &[u8],
        answered: Option<Answered>,
        peer: &Peer,
    ) -> Result<Proven, Error> {
        let (name, public_key) = (user_name.to_owned(), hex::encode(public_key));
        let key = public_key.clone();
        let look = move |tx: &mut Tx<'_>| {
            let known = find(tx, &name)?;
            let row = tx.row(
                "SELECT user_id FROM user_keys WHERE public_key = ?1",
                params![key.as_str()],
            )?;
            let holder: Option<UserId> = row.map(|row| row.get(0)).transpose()?;
            Ok::<_, Error>((known, holder))
        };
        match (self.store.read(look).await?, answered) {
            ((Some(known), Some(holder)), Some(answered)) if known.id == holder => Ok(Proven::Key {
                user: holder,
                public_key,
                challenge: answered.hash,
                challenge_ends: answered.expires_at,
            }),
            ((known, _), _) => Err(self.bad_unguessable(peer, known, "key").await),
        }
    }

    async fn prove_code(&self, code: &Secret, peer: &Peer) -> Result<Proven, Error> {
        let hash = digest::sha256_hex(code.expose().as_bytes());
        let (wanted, sql) = (hash.clone(), "SELECT 1 FROM sign_in_codes WHERE hash = ?1");
        let look = move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.row(sql, params![wanted.as_str()])?.is_some());
        if self.store.read(look).await? {
            Ok(Proven::Code { hash })
        } else {
            Err(self.bad_unguessable(peer, None, "code").await)
        }
    }

    /// Writes down a try that failed with what cannot be guessed: a row while the address has tries left, a
    /// count after that. It is never refused for its number, so a crowd at one address keeps nobody out who
    /// holds a key, a code or a token.
    pub(crate) async fn bad_unguessable(
        &self,
        peer: &Peer,
        known: Option<Known>,
        proof: &'static str,
    ) -> Error {
        if self.enter(peer, SIGN_IN, self.clock.now()).is_err() {
            return Error::BadProof;
        }
        self.bad_proof(peer, known, proof).await
    }

    /// Writes down a try that failed. A name that nobody has is not written: it may be a password.
    pub(crate) async fn bad_proof(&self, peer: &Peer, known: Option<Known>, proof: &'static str) -> Error {
        let entry = Entry::of_nobody(peer, SIGN_IN).because(proof);
        let entry = match known {
            Some(known) => entry.about(known.name.as_str()),
            None => entry,
        };
        match self.audit(entry, Outcome::Refused).await {
            Ok(()) => Error::BadProof,
            Err(error) => error,
        }
    }

    /// Opens a session for whoever has proven to be somebody, for this app.
    pub(crate) async fn open_session(
        self: &Arc<Self>,
        proven: Proven,
        app_id: &str,
        peer: &Peer,
    ) -> Result<SignedIn, Error> {
        let now = self.clock.now();
        let life = self.config.refresh_life.min(self.config.session_life);
        let opening = Opening::draw(proven.word(), life, now)?;
        let (user, session, roles) = self.open(proven, &opening, None, peer, now).await?;
        let app_id = app_id.to_owned();
        let holder = Holder {
            user,
            session,
            roles,
            app_id,
        };
        self.hand_out(holder, &opening.refresh_jti, opening.expires_at, now)
    }

    /// Writes down a session for whoever has proven to be somebody, with the cookie that shows it where there is one;
    /// gives the user, the session's number and the roles.
    pub(crate) async fn open(
        self: &Arc<Self>,
        proven: Proven,
        opening: &Opening,
        cookie: Option<String>,
        peer: &Peer,
        now: Timestamp,
    ) -> Result<(UserActor, u64, Vec<String>), Error> {
        let proof = opening.proof;
        let (draft, whence, house) = (opening.clone(), peer.clone(), Arc::clone(self));
        let open = move |tx: &mut Tx<'_>| {
            let Some(user) = settle(tx, &house, &proven, now)? else {
                return Ok(None);
            };
            let number = draft.write(tx, user, &whence, now)?;
            if let Some(hash) = &cookie {
                cookies::insert(tx, hash, number, draft.expires_at)?;
            }
            let standing = sessions::standing(tx, number, now)?;
            let entry = Entry::of_nobody(&whence, SIGN_IN).by(&user.to_string(), standing.user.name.as_str());
            let entry = entry.in_session(&draft.id.to_string()).because(proof);
            audit::insert(tx, &entry, Outcome::Done, now)?;
            Ok(Some((standing.user, number, grants::words_of_user(tx, user)?)))
        };
        match self.write(open).await {
            Ok(Some(opened)) => Ok(opened),
            Ok(None) => Err(self.bad_proof(peer, None, proof).await),
            Err(Error::ProofUsed) => {
                let entry = Entry::of_nobody(peer, SIGN_IN).because("proof used before");
                self.audit(entry, Outcome::Refused).await?;
                Err(Error::ProofUsed)
            }
            Err(other) => Err(other),
        }
    }
}
