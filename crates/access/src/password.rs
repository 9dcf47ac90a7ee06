//! Passwords: argon2id (RFC 9106), few at a time, so that a crowd at the door costs bounded memory.
//!
//! What it leaves to others: whose password it is, and how often one may try (`tries`).

use std::{sync::Arc, time::Duration};

use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _, password_hash::phc::PasswordHash};
use tasks::Tasks;
use tokio::sync::Semaphore;

use crate::{Error, Secret, digest};

/// The shortest password in bytes.
pub(crate) const SHORTEST: usize = 12;
/// The longest password in bytes.
pub(crate) const LONGEST: usize = 1024;

/// Memory of one hash in KiB, its passes and lanes: the first choice of the OWASP password storage sheet.
const COST: (u32, u32, u32) = (19_456, 2, 1);
/// How long a sign-in waits for its turn before it is told to come again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hashes and checks passwords.
pub(crate) struct Hasher {
    turns: Arc<Semaphore>,
    tasks: Tasks,
    /// Checked where there is no password, so that this takes as long.
    nobody: Arc<str>,
}

impl Hasher {
    /// At most `at_once` hashes run at a time.
    pub(crate) async fn new(tasks: &Tasks, at_once: usize) -> Result<Self, Error> {
        let turns = Arc::new(Semaphore::new(at_once.max(1)));
        let mut hasher = Self {
            turns,
            tasks: tasks.clone(),
            nobody: "".into(),
        };
        hasher.nobody = hasher.hash(&digest::random_text()?).await?.into();
        Ok(hasher)
    }

    /// The verifier of a password, as a PHC string with a fresh salt.
    pub(crate) async fn hash(&self, password: &Secret) -> Result<String, Error> {
        let salt = digest::random::<16>()?;
        let password = copy(password);
        let work = move || {
            let hash = argon2()?.hash_password_with_salt(password.expose().as_bytes(), &salt);
            hash.map(|hash| hash.to_string()).map_err(|_fault| Error::Crypto {
                step: "hash a password",
            })
        };
        self.in_turn(work).await?
    }

    /// Tells whether the password fits the verifier. Without one it takes as long and does not fit.
    pub(crate) async fn fits(&self, password: &Secret, verifier: Option<&str>) -> Result<bool, Error> {
        let known = verifier.is_some();
        let verifier = verifier.map_or_else(|| Arc::clone(&self.nobody), Arc::from);
        let password = copy(password);
        let work = move || {
            let parsed = PasswordHash::new(&verifier).map_err(|_fault| Error::Row { what: "password" })?;
            Ok::<_, Error>(
                argon2()?
                    .verify_password(password.expose().as_bytes(), &parsed)
                    .is_ok(),
            )
        };
        let fits: bool = self.in_turn(work).await??;
        Ok(fits && known)
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn
            .map_err(|_elapsed| Error::Busy)?
            .map_err(|_closed| Error::Busy)?;
        // The turn goes along: a caller who leaves does not let another hash begin before this one is done.
        let work = move || {
            let answer = work();
            drop(turn);
            answer
        };
        Ok(self.tasks.blocking("access.password", work).await?)
    }
}

fn copy(password: &Secret) -> Secret {
    Secret::from(password.expose().to_owned())
}

fn argon2() -> Result<Argon2<'static>, Error> {
    let (memory, passes, lanes) = COST;
    let params = argon2::Params::new(memory, passes, lanes, None);
    let params = params.map_err(|_fault| Error::Crypto {
        step: "set up password hashing",
    })?;
    Ok(Argon2::new(
        argon2::Algorithm::Argon2id,
        argon2::Version::V0x13,
        params,
    ))
}
