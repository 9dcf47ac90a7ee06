//! The connection that hears of commits, of this server and of others, and wakes the watchers.
//!
//! What it leaves to others: recording changes (`session`).
//!
//! Invariant: what is heard only says "look again"; what changed is read from the table, so a lost
//! notification or connection loses no change.

use std::{sync::Arc, time::Duration};

use postgres::fallible_iterator::FallibleIterator as _;
use tasks::{Backoff, Clock};
use tokio_util::sync::CancellationToken;

use super::{CHANNEL, Session, session::sorted};
use crate::{CHANGES_KEPT, CHANGES_SLACK, Error, Value, feed::Feed};

/// How long one wait for a notification lasts; then the token is looked at.
const WAIT: Duration = Duration::from_millis(250);
/// After this long without a notification the table is read all the same.
const LOOK_AFTER: Duration = Duration::from_secs(10);

/// Hears of commits.
pub(super) struct Listener {
    config: postgres::Config,
    feed: Arc<Feed>,
    token: CancellationToken,
    clock: Clock,
    newest: i64,
    trimmed: i64,
}

impl Listener {
    pub(super) fn new(
        config: postgres::Config,
        feed: Arc<Feed>,
        token: CancellationToken,
        newest: i64,
    ) -> Self {
        Self {
            config,
            feed,
            token,
            clock: Clock::system(),
            newest,
            trimmed: 0,
        }
    }

    /// Listens until the token is cancelled, connecting again with growing waits.
    pub(super) fn run(mut self) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        while !self.token.is_cancelled() {
            let heard = Session::connect(&self.config).and_then(|mut session| {
                session.batch(&format!("LISTEN {CHANNEL}"))?;
                backoff.reset();
                self.listen(&mut session)
            });
            if let Err(fault) = heard {
                tracing::warn!(%fault, source = ?std::error::Error::source(&fault), "changes are not heard: connecting again");
                self.pause(backoff.next_wait(rand::random()));
            }
        }
    }

    fn listen(&mut self, session: &mut Session) -> Result<(), Error> {
        let mut looked = None;
        while !self.token.is_cancelled() {
            let now = self.clock.monotonic();
            if looked.is_none_or(|then| now.duration_since(then) >= LOOK_AFTER) {
                self.catch_up(session)?;
                looked = Some(now);
            }
            let heard = session.client().notifications().timeout_iter(WAIT).next();
            if heard.map_err(|error| sorted(&error))?.is_some() {
                // Those that came together with it say the same.
                let rest = session.client().notifications().iter().count();
                rest.map_err(|error| sorted(&error))?;
                looked = None;
            } else if session.is_closed() {
                return Err(Error::Unreachable {
                    source: crate::Fault::new("connection", "the server ended the connection"),
                });
            }
        }
        Ok(())
    }

    /// Reads what changed since the last look. Revisions become visible in their order, so nothing that
    /// belongs before the newest one seen can appear later.
    fn catch_up(&mut self, session: &mut Session) -> Result<(), Error> {
        let sql = "SELECT topic, MAX(rev) FROM changes WHERE rev > ?1 GROUP BY topic";
        let rows = session.rows(sql, &[Value::from(self.newest)])?;
        let changed = rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?)));
        let changed = changed.collect::<Result<Vec<(String, i64)>, Error>>()?;
        let trimmed = session.rows("SELECT through FROM changes_trimmed", &[])?;
        self.trimmed = trimmed.first().map_or(Ok(0), |row| row.get(0))?;
        let before = self.newest;
        self.newest = changed.iter().map(|(_, rev)| *rev).fold(before, i64::max);
        if self.trimmed > before {
            self.newest = self.newest.max(self.trimmed);
            self.feed.publish_all(self.newest);
        } else {
            self.feed.publish(&changed);
        }
        if self.newest - self.trimmed >= CHANGES_KEPT + CHANGES_SLACK {
            self.trim(session)?;
        }
        Ok(())
    }

    fn trim(&self, session: &mut Session) -> Result<(), Error> {
        let through = [Value::from(self.newest - CHANGES_KEPT)];
        session.batch("BEGIN")?;
        session.execute(
            "UPDATE changes_trimmed SET through = ?1 WHERE through < ?1",
            &through,
        )?;
        session.execute("DELETE FROM changes WHERE rev <= ?1", &through)?;
        session.batch("COMMIT")
    }

    fn pause(&self, wait: Duration) {
        let until = self.clock.monotonic() + wait;
        while !self.token.is_cancelled() && self.clock.monotonic() < until {
            std::thread::sleep(Duration::from_millis(20).min(wait));
        }
    }
}
