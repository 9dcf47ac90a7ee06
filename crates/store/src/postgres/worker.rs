//! A thread with one connection: runs closures as serializable transactions, again where others stood in the
//! way, and connects again where the connection was lost.
//!
//! What it leaves to others: statements (`session`).
//!
//! Invariants: an answer is sent after the server has acknowledged the commit; a commit whose outcome is not
//! known is answered as unavailable, never as done and never run again.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tasks::{Backoff, Clock};
use tokio::sync::mpsc;

use super::Session;
use crate::{
    Call, Error,
    counts::Counters,
    queue::{self, Job},
    tx::{self, Broken, Tx},
};

/// How often a closure is run before it is answered with a conflict.
const TRIES: u32 = 20;
/// After this many conflicts, a closure waits until no other closure in this position runs.
const TRIES_TOGETHER: u32 = 3;
/// The first and the longest wait before a closure is run again.
const WAITS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));
/// The first and the longest time in which a server that was not reachable is not asked again.
const RECONNECTS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Runs closures on one connection.
pub(super) struct Worker {
    config: postgres::Config,
    session: Option<Session>,
    clock: Clock,
    reconnect: Backoff,
    not_before: Option<Instant>,
    turn: Arc<Mutex<()>>,
    counters: Arc<Counters>,
}

/// What one run of a closure came to.
enum Attempt {
    /// Send the closure's own answer, or this fault.
    Answer(Result<(), Error>),
    /// Another transaction stood in the way: nothing was written.
    Conflict,
    /// The connection went before the commit was asked for: nothing was written.
    Lost(Error),
}

impl Worker {
    pub(super) fn new(
        config: postgres::Config,
        session: Option<Session>,
        turn: Arc<Mutex<()>>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            config,
            session,
            clock: Clock::system(),
            reconnect: Backoff::new(RECONNECTS.0, RECONNECTS.1),
            not_before: None,
            turn,
            counters,
        }
    }

    /// Works until the queue ends.
    pub(super) fn run(mut self, queue: &Mutex<mpsc::Receiver<Job>>) {
        while let Some(job) = queue::next(queue) {
            match job {
                Job::Write(call) => self.answer(call, "BEGIN ISOLATION LEVEL SERIALIZABLE", true),
                // One snapshot, which never stands in the way of those who write.
                Job::Read(call) => {
                    self.answer(call, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", false)
                }
                Job::Stop => {}
            }
        }
    }

    fn answer(&mut self, mut call: Box<dyn Call>, begin: &str, writes: bool) {
        let turn = Arc::clone(&self.turn);
        let mut held: Option<MutexGuard<'_, ()>> = None;
        let mut wait = Backoff::new(WAITS.0, WAITS.1);
        let mut lost_before = false;
        let mut tries = 0;
        while !call.abandoned() {
            tries += 1;
            match self.attempt(&mut *call, begin, writes) {
                Attempt::Answer(outcome) => return call.answer(outcome),
                Attempt::Conflict if tries < TRIES => {
                    std::thread::sleep(wait.next_wait(rand::random()));
                    if tries >= TRIES_TOGETHER && held.is_none() {
                        held = Some(turn.lock().unwrap_or_else(PoisonError::into_inner));
                    }
                }
                Attempt::Conflict => return call.answer(Err(Error::Conflict { tries })),
                Attempt::Lost(fault) => {
                    self.session = None;
                    // A server that was restarted is found again at once; one that is down is not waited for.
                    if lost_before {
                        return call.answer(Err(fault));
                    }
                    lost_before = true;
                }
            }
        }
    }

    fn attempt(&mut self, call: &mut dyn Call, begin: &str, writes: bool) -> Attempt {
        let session = match self.connected() {
            Ok(session) => session,
            Err(fault) => return Attempt::Answer(Err(fault)),
        };
        if let Err(fault) = session.batch(begin) {
            return Attempt::Lost(fault);
        }
        let mut tx = Tx::new(tx::Connection::Postgres(session), writes);
        let ran = call.run(&mut tx);
        let (broken, _) = tx.end();
        let verdict = match broken {
            Some(Broken::Lost) => return Attempt::Lost(lost()),
            Some(Broken::Conflict) => {
                self.undo();
                return Attempt::Conflict;
            }
            Some(Broken::Failed) | None => tx::verdict(ran, broken),
        };
        match verdict {
            Ok(true) => self.commit(writes),
            Ok(false) => {
                self.undo();
                Attempt::Answer(Ok(()))
            }
            Err(fault) => {
                self.undo();
                Attempt::Answer(Err(fault))
            }
        }
    }

    fn commit(&mut self, writes: bool) -> Attempt {
        let committed = self.session.as_mut().map_or(Err(Error::Closed), Session::commit);
        match committed {
            Ok(()) => {
                if writes {
                    self.counters.committed(1);
                }
                Attempt::Answer(Ok(()))
            }
            Err(Error::Conflict { .. }) => Attempt::Conflict,
            Err(fault) => {
                if matches!(fault, Error::Commit { .. }) {
                    tracing::error!(%fault, "the outcome of a commit is not known");
                    self.session = None;
                }
                Attempt::Answer(Err(fault))
            }
        }
    }

    fn undo(&mut self) {
        let undone = self
            .session
            .as_mut()
            .map_or(Ok(()), |session| session.batch("ROLLBACK"));
        if undone.is_err() {
            self.session = None;
        }
    }

    fn connected(&mut self) -> Result<&mut Session, Error> {
        if self.session.as_ref().is_some_and(Session::is_closed) {
            self.session = None;
        }
        let session = match self.session.take() {
            Some(session) => session,
            None => self.connect()?,
        };
        Ok(self.session.insert(session))
    }

    fn connect(&mut self) -> Result<Session, Error> {
        let now = self.clock.monotonic();
        if self.not_before.is_some_and(|instant| now < instant) {
            return Err(lost());
        }
        match Session::connect(&self.config) {
            Ok(session) => {
                self.reconnect.reset();
                self.not_before = None;
                Ok(session)
            }
            Err(fault) => {
                let wait = self.reconnect.next_wait(rand::random());
                self.not_before = Some(self.clock.monotonic() + wait);
                Err(fault)
            }
        }
    }
}

fn lost() -> Error {
    Error::Unreachable {
        source: crate::Fault::new("connection", "the connection to the server was lost a moment ago"),
    }
}
