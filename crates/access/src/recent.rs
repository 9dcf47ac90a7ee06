//! What was found out a moment ago and is still so: proofs of tokens, sessions that stand, and rights.
//!
//! Every call proves a token and reads a session and roles. A proof is arithmetic and stays true, so it is kept until
//! the token ends. What the store says stays true until something is committed, and where only this process writes
//! the store tells when that was ([`store::Store::commits_seen`]); so it is kept until the next commit, and nothing is
//! kept where another server may write. What it leaves to others: finding things out.
//!
//! Invariants: nothing that was read before a commit is told after it was answered; no token is held here, only its
//! hash; what is held does not grow without bound.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use model::{SessionId, Timestamp, UserId};

use crate::{UserActor, permit::Cover, token::Claims};

/// The most entries of each kind. When there are more, all are forgotten: finding out again is no fault.
const MOST: usize = 8192;

/// An access token that was proven once, with a key that is asked about again each time.
pub(crate) struct ProvenToken {
    pub(crate) claims: Claims,
    pub(crate) fingerprint: String,
}

/// A session that stands, whose it is, and until when.
pub(crate) struct OpenSession {
    pub(crate) user: UserActor,
    pub(crate) expires_at: Timestamp,
}

/// What a session's user may do, and until when the session stands.
#[derive(Clone, Copy)]
pub(crate) struct Right {
    pub(crate) cover: Cover,
    pub(crate) owner: bool,
    pub(crate) expires_at: Timestamp,
}

/// The right of which session is meant, and to do what.
pub(crate) type Asked = (SessionId, UserId, &'static str);

/// All that is kept.
#[derive(Default)]
pub(crate) struct Recent {
    tokens: Mutex<BTreeMap<[u8; 32], Arc<ProvenToken>>>,
    read: Mutex<Read>,
}

/// What was read from the store after this many commits and before the next.
#[derive(Default)]
struct Read {
    commits: u64,
    sessions: BTreeMap<u64, Arc<OpenSession>>,
    rights: BTreeMap<Asked, Right>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds an entry; the map is emptied first where it is full.
fn add<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V) {
    if map.len() >= MOST {
        map.clear();
    }
    map.insert(key, value);
}

impl Recent {
    /// The token with this hash, where it was proven before.
    pub(crate) fn token(&self, hash: &[u8; 32]) -> Option<Arc<ProvenToken>> {
        held(&self.tokens).get(hash).cloned()
    }

    /// Keeps a token that was proven.
    pub(crate) fn keep_token(&self, hash: [u8; 32], token: Arc<ProvenToken>) {
        add(&mut held(&self.tokens), hash, token);
    }

    /// The session with this number, where it was read after so many commits and stands at `now`.
    pub(crate) fn session(
        &self,
        commits: Option<u64>,
        number: u64,
        now: Timestamp,
    ) -> Option<Arc<OpenSession>> {
        let read = self.still_so(commits)?;
        let session = read.sessions.get(&number)?;
        (now < session.expires_at).then(|| Arc::clone(session))
    }

    /// Keeps a session that was read when `commits` had been made.
    pub(crate) fn keep_session(&self, commits: Option<u64>, number: u64, session: Arc<OpenSession>) {
        if let Some(mut read) = self.of(commits) {
            add(&mut read.sessions, number, session);
        }
    }

    /// A right, where it was read after so many commits and its session stands at `now`.
    pub(crate) fn right(&self, commits: Option<u64>, asked: &Asked, now: Timestamp) -> Option<Right> {
        let read = self.still_so(commits)?;
        let right = read.rights.get(asked)?;
        (now < right.expires_at).then_some(*right)
    }

    /// Keeps a right that was read when `commits` had been made.
    pub(crate) fn keep_right(&self, commits: Option<u64>, asked: Asked, right: Right) {
        if let Some(mut read) = self.of(commits) {
            add(&mut read.rights, asked, right);
        }
    }

    /// What was read after so many commits; nothing where something was committed since.
    fn still_so(&self, commits: Option<u64>) -> Option<MutexGuard<'_, Read>> {
        let read = held(&self.read);
        (Some(read.commits) == commits).then_some(read)
    }

    /// The place for what was read after so many commits; none where later reads are kept already.
    fn of(&self, commits: Option<u64>) -> Option<MutexGuard<'_, Read>> {
        let (commits, mut read) = (commits?, held(&self.read));
        if read.commits < commits {
            *read = Read {
                commits,
                ..Read::default()
            };
        }
        (read.commits == commits).then_some(read)
    }
}

#[cfg(test)]
mod tests {
    use model::{Id, Timestamp};

    use super::{Asked, Recent, Right};
    use crate::permit::Cover;

    const NOW: Timestamp = Timestamp::from_secs(100);

    fn asked() -> Asked {
        (Id::fresh(NOW), Id::fresh(NOW), "jobs.list")
    }

    fn right() -> Right {
        Right {
            cover: Cover::Zone,
            owner: false,
            expires_at: Timestamp::from_secs(200),
        }
    }

    #[test]
    fn what_was_read_is_told_until_the_next_commit_or_the_end_of_the_session() {
        let (recent, asked) = (Recent::default(), asked());
        recent.keep_right(Some(7), asked, right());
        assert!(recent.right(Some(7), &asked, NOW).is_some());
        assert!(recent.right(Some(7), &asked, Timestamp::from_secs(200)).is_none());
        assert!(recent.right(Some(8), &asked, NOW).is_none());
    }

    #[test]
    fn what_was_read_before_a_commit_is_not_kept_after_it() {
        let (recent, before, after) = (Recent::default(), asked(), asked());
        recent.keep_right(Some(8), after, right());
        recent.keep_right(Some(7), before, right());
        assert!(recent.right(Some(8), &after, NOW).is_some());
        assert!(recent.right(Some(8), &before, NOW).is_none());
        assert!(recent.right(Some(7), &before, NOW).is_none());
    }

    #[test]
    fn nothing_is_kept_where_others_write_too() {
        let (recent, asked) = (Recent::default(), asked());
        recent.keep_right(None, asked, right());
        assert!(recent.right(None, &asked, NOW).is_none());
    }
}
