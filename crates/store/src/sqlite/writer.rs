//! The writer: many closures, one durable commit, then the answers.
//!
//! What it leaves to others: making and closing the queue.
//!
//! Invariants: no closure is answered as written before the commit that holds it is on the disk; when a commit
//! fails, every closure of its batch is answered with the fault and the writer goes on.

use std::{sync::Arc, time::Duration};

use rusqlite::Connection;
use tasks::Clock;
use tokio::sync::mpsc;

use super::statement;
use crate::{
    CHANGES_KEPT, CHANGES_SLACK, Call, Error, Fault, Shared, Value,
    counts::Counters,
    feed::Feed,
    queue::Job,
    tx::{self, Tx},
};

/// The most closures of one commit.
const BATCH: usize = 1_024;
/// No closure is added to a batch that has been running for this long.
const BATCH_WITHIN: Duration = Duration::from_millis(25);

/// The shortest wait for callers who may come back that is worth it, and the longest.
const GATHER: (Duration, Duration) = (Duration::from_micros(100), Duration::from_millis(2));

/// Owns the only connection that writes.
pub(super) struct Writer {
    connection: Connection,
    feed: Arc<Feed>,
    counters: Arc<Counters>,
    clock: Clock,
    trimmed: Option<i64>,
    commit_took: Duration,
    expected: usize,
}

/// What ran in the open transaction and waits for its commit.
#[derive(Default)]
struct Batch {
    ran: Vec<(Box<dyn Call>, Result<(), Error>)>,
    kept: usize,
    changes: Vec<(String, i64)>,
}

impl Writer {
    pub(super) fn new(connection: Connection, shared: &Shared) -> Self {
        Self {
            connection,
            feed: Arc::clone(&shared.feed),
            counters: Arc::clone(&shared.counters),
            clock: Clock::system(),
            trimmed: None,
            commit_took: Duration::ZERO,
            expected: 0,
        }
    }

    /// Works until the queue ends or says stop.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(job) = queue.blocking_recv() {
            match job {
                Job::Call(call) => {
                    self.gather(&queue);
                    self.batch(call, &mut queue);
                }
                // What was queued before the word was done before it; the rest is drained and answered.
                Job::Stop => queue.close(),
            }
        }
    }

    /// Waits a little for callers who were answered a moment ago, because most of them come back at once. Without
    /// this they would split into two groups that wait for each other's commit. The wait is a fraction of what a
    /// commit takes; where commits are quick there is none.
    fn gather(&self, queue: &mpsc::Receiver<Job>) {
        let longest = (self.commit_took / 4).min(GATHER.1);
        if longest < GATHER.0 {
            return;
        }
        let began = self.clock.monotonic();
        while queue.len() + 1 < self.expected && self.clock.monotonic().duration_since(began) < longest {
            // may sleep: a channel cannot tell when it holds so many, and the wait is a fraction of a commit
            std::thread::sleep(GATHER.0 / 2);
        }
    }

    fn batch(&mut self, first: Box<dyn Call>, queue: &mut mpsc::Receiver<Job>) {
        if let Err(error) = self.run_cached("BEGIN IMMEDIATE") {
            first.answer(Err(error));
            return;
        }
        let began = self.clock.monotonic();
        let mut batch = Batch::default();
        let mut next = Some(first);
        while let Some(call) = next.take() {
            if !call.abandoned() && !self.run_one(call, &mut batch) {
                // SQLite undid the whole transaction: the rest of the queue begins a new one.
                break;
            }
            let late = self.clock.monotonic().duration_since(began) >= BATCH_WITHIN;
            if batch.ran.len() < BATCH && !late {
                next = match queue.try_recv() {
                    Ok(Job::Call(call)) => Some(call),
                    Ok(Job::Stop) => {
                        queue.close();
                        None
                    }
                    Err(_empty) => None,
                };
            }
        }
        self.finish(batch, queue);
    }

    /// Runs one closure in a savepoint; tells whether the transaction still stands.
    fn run_one(&mut self, mut call: Box<dyn Call>, batch: &mut Batch) -> bool {
        if let Err(error) = self.run_cached("SAVEPOINT one") {
            batch.ran.push((call, Err(error)));
            return !self.connection.is_autocommit();
        }
        let mut tx = Tx::new(tx::Connection::Sqlite(&self.connection), true);
        let ran = call.run(&mut tx);
        let (broken, changes) = tx.end();
        let verdict = tx::verdict(ran, broken);
        if self.connection.is_autocommit() {
            // A full disk, an I/O error or a want of memory ends the transaction, not just the statement.
            batch.ran.push((call, verdict.map(drop)));
            return false;
        }
        let kept = matches!(verdict, Ok(true));
        let ended = if kept {
            self.run_cached("RELEASE one")
        } else {
            self.run_cached("ROLLBACK TO one")
                .and_then(|()| self.run_cached("RELEASE one"))
        };
        if kept {
            batch.kept += 1;
            batch.changes.extend(changes);
        }
        let stands = ended.is_ok();
        if let Err(error) = &ended {
            tracing::error!(fault = ?error, "a savepoint does not end; its batch is undone");
            self.undo();
        }
        batch.ran.push((call, verdict.map(drop).and(ended)));
        stands
    }

    fn finish(&mut self, batch: Batch, queue: &mpsc::Receiver<Job>) {
        let committed = if self.connection.is_autocommit() {
            Err(Fault::new(
                "",
                "the storage failed under a transaction of the same batch",
            ))
        } else {
            self.trim(&batch.changes);
            let began = self.clock.monotonic();
            let committed = self.commit();
            self.commit_took = self.clock.monotonic().duration_since(began);
            committed
        };
        if committed.is_ok() {
            if batch.kept > 0 {
                self.counters.committed(batch.kept);
            }
            self.feed.publish(&batch.changes);
        }
        self.expected = (batch.ran.len() + queue.len()).min(BATCH);
        for (call, outcome) in batch.ran {
            // A closure's own fault or refusal stands, whatever became of the batch.
            let fault = match (&committed, outcome) {
                (_, Err(own)) => Err(own),
                (Ok(()), Ok(())) => Ok(()),
                (Err(fault), Ok(())) => Err(Error::Commit {
                    source: fault.clone(),
                }),
            };
            call.answer(fault);
        }
    }

    fn commit(&self) -> Result<(), Fault> {
        let committed = self.connection.execute_batch("COMMIT");
        committed.map_err(|error| {
            let source = statement::fault(&error);
            tracing::error!(fault = %source, "a commit failed; nothing of its batch is acknowledged");
            self.undo();
            source
        })
    }

    fn undo(&self) {
        if self.connection.is_autocommit() {
            return;
        }
        if let Err(error) = self.connection.execute_batch("ROLLBACK") {
            tracing::error!(fault = %statement::fault(&error), "a transaction is not undone");
        }
    }

    /// Forgets old changes now and then, in the transaction that adds new ones.
    fn trim(&mut self, changes: &[(String, i64)]) {
        let Some((_, newest)) = changes.last() else {
            return;
        };
        let trimmed = match self.trimmed {
            Some(trimmed) => trimmed,
            None => self.trimmed().unwrap_or(0),
        };
        self.trimmed = Some(trimmed);
        if newest - trimmed < CHANGES_KEPT + CHANGES_SLACK {
            return;
        }
        let through = newest - CHANGES_KEPT;
        match self.trim_through(through) {
            Ok(()) => self.trimmed = Some(through),
            Err(error) => tracing::warn!(fault = ?error, "old changes are not trimmed"),
        }
    }

    fn trimmed(&self) -> Option<i64> {
        let rows = statement::rows(&self.connection, "SELECT through FROM changes_trimmed", &[]).ok()?;
        rows.first()?.get(0).ok()
    }

    fn trim_through(&self, through: i64) -> Result<(), Error> {
        let params = [Value::from(through)];
        self.run_cached("SAVEPOINT trim")?;
        let trimmed = statement::execute(&self.connection, "DELETE FROM changes WHERE rev <= ?1", &params)
            .and_then(|_| {
                statement::execute(
                    &self.connection,
                    "UPDATE changes_trimmed SET through = ?1",
                    &params,
                )
            });
        if trimmed.is_err() && !self.connection.is_autocommit() {
            self.run_cached("ROLLBACK TO trim")?;
        }
        trimmed?;
        self.run_cached("RELEASE trim")
    }

    fn run_cached(&self, sql: &'static str) -> Result<(), Error> {
        statement::execute(&self.connection, sql, &[]).map(drop)
    }
}
