//! Passwords: argon2id (RFC 9106), few at a time, so that a crowd at the door costs bounded memory.
//!
//! What it leaves to others: whose password it is, and how often one may try (`tries`).

use std::{sync::Arc, time::Duration};

use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, PasswordHash, Salt},
};
use subtle::ConstantTimeEq as _;
use tasks::Tasks;
use tokio::sync::Semaphore;

use crate::{Error, Secret, digest};

/// The shortest password in bytes that a user takes here.
pub(crate) const SHORTEST: usize = 12;
/// The shortest password in bytes that comes with a newcomer from another system: SCOW's own pages let 8 characters pass
/// (contract of its configuration, section 6).
pub(crate) const SHORTEST_ELSEWHERE: usize = 8;
/// The longest password in bytes.
pub(crate) const LONGEST: usize = 1024;

/// Memory of one hash in KiB, its passes and lanes: the first choice of the OWASP password storage sheet.
const COST: (u32, u32, u32) = (19_456, 2, 1);
/// Bytes of a hash.
const LENGTH: usize = 32;
/// The GNU allocator never keeps pieces beyond 32 MiB. Only what is written to takes real memory.
const GIVEN_BACK: usize = 33 << 20;
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
        self.in_turn(move || write_verifier(&password, &salt)).await?
    }

    /// Tells whether the password fits the verifier. Without one it takes as long and does not fit.
    pub(crate) async fn fits(&self, password: &Secret, verifier: Option<&str>) -> Result<bool, Error> {
        let known = verifier.is_some();
        let verifier = verifier.map_or_else(|| Arc::clone(&self.nobody), Arc::from);
        let password = copy(password);
        let fits = self.in_turn(move || meets(&password, &verifier)).await??;
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

fn write_verifier(password: &Secret, salt: &[u8]) -> Result<String, Error> {
    let refused = || Error::Crypto {
        step: "hash a password",
    };
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, Some(LENGTH)).map_err(|_fault| refused())?;
    let mut hash = [0; LENGTH];
    fill(&params, password, salt, &mut hash).ok_or_else(refused)?;
    let verifier = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: (&params).try_into().map_err(|_fault| refused())?,
        salt: Some(Salt::new(salt).map_err(|_fault| refused())?),
        hash: Some(Output::new(&hash).map_err(|_fault| refused())?),
    };
    Ok(verifier.to_string())
}

fn meets(password: &Secret, verifier: &str) -> Result<bool, Error> {
    let broken = || Error::Row { what: "password" };
    let verifier = PasswordHash::new(verifier).map_err(|_fault| broken())?;
    let (Some(salt), Some(wanted)) = (&verifier.salt, &verifier.hash) else {
        return Err(broken());
    };
    if verifier.algorithm != ARGON2ID_IDENT || verifier.version != Some(Version::V0x13.into()) {
        return Err(broken());
    }
    let params = Params::try_from(&verifier).map_err(|_fault| broken())?;
    let mut found = vec![0; wanted.as_bytes().len()];
    fill(&params, password, salt, &mut found).ok_or_else(broken)?;
    Ok(found.ct_eq(wanted.as_bytes()).into())
}

/// Runs argon2id in memory that goes back to the system at once: a piece beyond [`GIVEN_BACK`] is mapped and
/// unmapped by itself, where smaller ones stay with the allocator of each thread that ever hashed.
fn fill(params: &Params, password: &Secret, salt: &[u8], hash: &mut [u8]) -> Option<()> {
    let blocks = params.block_count();
    let mut memory: Vec<Block> = Vec::with_capacity(blocks.max(GIVEN_BACK / Block::SIZE));
    memory.resize(blocks, Block::new());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    argon2
        .hash_password_into_with_memory(password.expose().as_bytes(), salt, hash, &mut memory)
        .ok()
}
