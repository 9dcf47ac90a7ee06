//! A thread with one connection: runs closures as serializable transactions, again where others stood in the
//! way, and connects again where the connection was lost. Closures that wait together share a transaction, each
//! in a savepoint; where that fails, each has one of its own.
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

use super::Session;
use crate::{
    Call, Error, Shared,
    counts::Counters,
    queue::{self, SharedEnd},
    tx::{self, Broken, Tx},
};

/// Begins a transaction that writes.
const WRITE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";
/// Begins one that reads.
const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// The most closures that share a transaction.
const GROUP: usize = 64;
/// How often a closure is run before it is answered with a conflict.
const TRIES: u32 = 20;
/// How often a group is run before it is taken apart.
const GROUP_TRIES: u32 = 3;
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
        shared: &Shared,
        turn: &Arc<Mutex<()>>,
    ) -> Self {
        Self {
            config,
            session,
            clock: Clock::system(),
            reconnect: Backoff::new(RECONNECTS.0, RECONNECTS.1),
            not_before: None,
            turn: Arc::clone(turn),
            counters: Arc::clone(&shared.counters),
        }
    }

    /// Runs closures that write until the queue ends.
    pub(super) fn write(mut self, queue: &SharedEnd) {
        while let Some(mut calls) = queue::next_group(queue, GROUP) {
            if calls.len() > 1 {
                calls = self.answer_group(calls);
            }
            for call in calls {
                self.answer(call, WRITE, true);
            }
        }
    }

    /// Runs closures that read until the queue ends. Each has one snapshot, which never stands in the way of those
    /// who write.
    pub(super) fn read(mut self, queue: &SharedEnd) {
        while let Some(call) = queue::next(queue) {
            self.answer(call, READ, false);
        }
    }

    /// Runs closures that waited together as one transaction, so that they share the sync of its commit and, where
    /// they record changes, the turn to do so. Gives them back where that could not be done: nothing was written.
    fn answer_group(&mut self, mut calls: Vec<Box<dyn Call>>) -> Vec<Box<dyn Call>> {
        let turn = Arc::clone(&self.turn);
        let mut held = None;
        for _ in 0..GROUP_TRIES {
            self.wait_for_reruns(held.is_some());
            match self.attempt_group(&mut calls) {
                Ok(outcomes) => {
                    for (call, outcome) in calls.into_iter().zip(outcomes) {
                        call.answer(outcome);
                    }
                    return Vec::new();
                }
                Err(Broken::Conflict) => {
                    held.get_or_insert_with(|| locked(&turn));
                }
                Err(Broken::Lost | Broken::Failed) => break,
            }
        }
        calls
    }

    /// One try at a group: what to answer each of its closures, or why nothing was written.
    fn attempt_group(&mut self, calls: &mut [Box<dyn Call>]) -> Result<Vec<Result<(), Error>>, Broken> {
        self.connected().map_err(|_each_is_told| Broken::Lost)?;
        self.step(&format!("{WRITE}; SAVEPOINT one"))?;
        let mut outcomes = Vec::with_capacity(calls.len());
        let mut kept = Vec::with_capacity(calls.len());
        for call in calls {
            let verdict = if call.abandoned() {
                Ok(false)
            } else {
                let session = self.session.as_mut().ok_or(Broken::Lost)?;
                let mut tx = Tx::new(tx::Connection::Postgres(session), true);
                let ran = call.run(&mut tx);
                match tx.end().0 {
                    Some(broken @ (Broken::Lost | Broken::Conflict)) => {
                        self.undo();
                        return Err(broken);
                    }
                    broken @ (Some(Broken::Failed) | None) => tx::verdict(ran, broken),
                }
            };
            let keep = matches!(verdict, Ok(true));
            self.step(if keep {
                "RELEASE SAVEPOINT one; SAVEPOINT one"
            } else {
                "ROLLBACK TO SAVEPOINT one"
            })?;
            kept.push(keep);
            outcomes.push(verdict.map(drop));
        }
        let count = kept.iter().filter(|&&keep| keep).count();
        match self.commit(count) {
            Ok(()) => {}
            Err(Error::Commit { source }) => {
                for (outcome, _) in outcomes.iter_mut().zip(&kept).filter(|(_, keep)| **keep) {
                    *outcome = Err(Error::Commit {
                        source: source.clone(),
                    });
                }
            }
            Err(_conflict) => return Err(Broken::Conflict),
        }
        Ok(outcomes)
    }

    /// Lets a closure that lost a conflict have its next run without company of this process.
    fn wait_for_reruns(&self, rerun: bool) {
        if !rerun {
            drop(locked(&self.turn));
        }
    }

    /// Runs a statement between the closures of a group.
    fn step(&mut self, sql: &str) -> Result<(), Broken> {
        let session = self.session.as_mut().ok_or(Broken::Lost)?;
        session.batch(sql).map_err(|fault| {
            self.undo();
            if matches!(fault, Error::Conflict { .. }) {
                Broken::Conflict
            } else {
                Broken::Lost
            }
        })
    }

    fn answer(&mut self, mut call: Box<dyn Call>, begin: &str, writes: bool) {
        let turn = Arc::clone(&self.turn);
        let mut held = None;
        let mut wait = Backoff::new(WAITS.0, WAITS.1);
        let mut lost_before = false;
        let mut tries = 0;
        while !call.abandoned() {
            tries += 1;
            if writes {
                self.wait_for_reruns(held.is_some());
            }
            match self.attempt(&mut *call, begin, writes) {
                Attempt::Answer(outcome) => return call.answer(outcome),
                Attempt::Conflict if tries < TRIES => {
                    if held.is_some() {
                        // Another server stood in the way, or a closure that had begun before.
                        std::thread::sleep(wait.next_wait(rand::random()));
                    }
                    held.get_or_insert_with(|| locked(&turn));
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
            Ok(true) => match self.commit(usize::from(writes)) {
                Err(Error::Conflict { .. }) => Attempt::Conflict,
                committed => Attempt::Answer(committed),
            },
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

    /// Commits, and counts so many closures as written.
    fn commit(&mut self, written: usize) -> Result<(), Error> {
        let committed = self.session.as_mut().map_or(Err(Error::Closed), Session::commit);
        match &committed {
            Ok(()) if written > 0 => self.counters.committed(written),
            Err(fault @ Error::Commit { source }) => {
                tracing::error!(%fault, %source, "the outcome of a commit is not known");
                self.session = None;
            }
            Ok(()) | Err(_) => {}
        }
        committed
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

fn locked(turn: &Mutex<()>) -> MutexGuard<'_, ()> {
    turn.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lost() -> Error {
    Error::Unreachable {
        source: crate::Fault::new("connection", "the connection to the server was lost a moment ago"),
    }
}
