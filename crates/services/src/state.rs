//! How a service stands, and what follows from what its node says. Pure: no clock, no store, no node.
//!
//! What it leaves to others: doing what follows (module `reconcile`), choosing a node (module `place`).

use model::{NodeId, RunId, Span, Timestamp};
use stage::{Cause, Exit};

use crate::node::Observed;

/// Where a service stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for a node.
    Pending,
    /// Its process is being started, or runs and has not answered yet.
    Starting,
    /// Its process answers.
    Ready,
    /// Its process runs and no longer answers.
    Unready,
    /// Its process ended by itself and is started again soon.
    Restarting,
    /// It cannot be started; a new deployment tries again.
    Failed,
    /// Its process is being ended.
    Stopping,
    /// It is stopped for good.
    Stopped,
}

const WORDS: [(State, &str); 8] = [
    (State::Pending, "pending"),
    (State::Starting, "starting"),
    (State::Ready, "ready"),
    (State::Unready, "unready"),
    (State::Restarting, "restarting"),
    (State::Failed, "failed"),
    (State::Stopping, "stopping"),
    (State::Stopped, "stopped"),
];

impl State {
    /// Its name in lower case, as it is stored.
    #[must_use]
    pub fn word(self) -> &'static str {
        let found = WORDS.iter().find(|(state, _)| *state == self);
        found.map_or("", |(_, word)| word)
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        let found = WORDS.iter().find(|(_, known)| *known == word);
        found.map(|(state, _)| *state)
    }
}

/// What is wanted of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Run,
    Stop,
}

/// When a process that ended by itself is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restart {
    /// The wait after the first end; it doubles with each further one.
    pub first: Span,
    /// The longest wait.
    pub longest: Span,
    /// A process that ran as long as this begins anew with the first wait.
    pub steady: Span,
}

impl Restart {
    /// The wait after this many ends in a row.
    pub(crate) fn wait(self, failures: u32) -> Span {
        let doubled = 1_i64 << failures.saturating_sub(1).min(30);
        let micros = self.first.micros().saturating_mul(doubled);
        Span::from_micros(micros.min(self.longest.micros()))
    }
}

/// One run: the process of a service from one start to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) id: RunId,
    /// Which deployment it runs.
    pub(crate) generation: u32,
    /// Whether its node has told of it.
    pub(crate) seen: bool,
}

/// Everything about a service that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) state: State,
    pub(crate) reason: String,
    pub(crate) wanted: Wanted,
    /// Counts deployments from 1.
    pub(crate) generation: u32,
    pub(crate) node: Option<NodeId>,
    pub(crate) node_name: String,
    pub(crate) run: Option<Run>,
    pub(crate) port: Option<u16>,
    pub(crate) starts: u32,
    /// Ends in a row.
    pub(crate) failures: u32,
    pub(crate) next_start_at: Option<Timestamp>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) stopped_at: Option<Timestamp>,
}

/// What is to be done on the node once the new standing is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Nothing,
    Start(RunId),
    End(RunId),
    Forget(RunId),
}

impl Standing {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Pending,
            reason: "waits for a node".to_owned(),
            wanted: Wanted::Run,
            generation: 1,
            node: None,
            node_name: String::new(),
            run: None,
            port: None,
            starts: 0,
            failures: 0,
            next_start_at: None,
            started_at: None,
            exit_code: None,
            stopped_at: None,
        }
    }

    /// Somebody wants it stopped.
    pub(crate) fn stop(&mut self, now: Timestamp) {
        self.wanted = Wanted::Stop;
        if self.run.is_none() {
            self.stopped(now);
        } else if self.state != State::Stopping {
            self.state = State::Stopping;
            self.reason = String::new();
            self.port = None;
        }
    }

    /// Somebody wants another deployment of it.
    pub(crate) fn deploy_again(&mut self) {
        self.wanted = Wanted::Run;
        self.generation += 1;
        self.failures = 0;
        self.next_start_at = None;
        self.port = None;
        self.state = State::Starting;
        self.reason = "the process of the deployment before ends first".to_owned();
        if self.run.is_none() {
            self.unplaced();
        }
    }

    /// Its node is no longer part of the zone.
    pub(crate) fn node_is_gone(&mut self, any_node: bool, now: Timestamp) {
        let name = std::mem::take(&mut self.node_name);
        self.run = None;
        self.port = None;
        if self.wanted == Wanted::Stop {
            self.stopped(now);
        } else {
            self.unplaced();
            if !any_node {
                self.state = State::Failed;
                self.reason = format!("node {name} is no longer part of the zone");
            }
        }
    }

    /// What follows from what its node says; `fresh` is the id of a run, should one begin.
    pub(crate) fn meet(
        &self,
        observed: Option<&Observed>,
        restart: Restart,
        now: Timestamp,
        fresh: RunId,
    ) -> (Self, Step) {
        let mut next = self.clone();
        let Some(run) = self.run else {
            let step = next.without_run(now, fresh);
            return (next, step);
        };
        let step = match observed {
            Some(Observed::Starting) => next.alive(run, None),
            Some(Observed::Running {
                started_at,
                port,
                silent,
            }) => {
                next.started_at = Some(*started_at);
                next.alive(run, Some((*port, silent.as_deref())))
            }
            Some(Observed::Ended(exit)) => {
                next.ended(run, Some(exit), restart, now);
                Step::Forget(run.id)
            }
            Some(Observed::Lost) => {
                next.ended(run, None, restart, now);
                Step::Forget(run.id)
            }
            None if run.seen => {
                next.ended(run, None, restart, now);
                Step::Nothing
            }
            None if next.superseded(run) => {
                next.run = None;
                next.after_supersession(now);
                Step::Nothing
            }
            None => Step::Start(run.id),
        };
        (next, step)
    }

    fn without_run(&mut self, now: Timestamp, fresh: RunId) -> Step {
        if self.wanted == Wanted::Stop {
            self.stopped(now);
            return Step::Nothing;
        }
        let waits = self.next_start_at.is_some_and(|at| at > now);
        if waits || self.state == State::Failed || self.node.is_none() {
            return Step::Nothing;
        }
        self.run = Some(Run {
            id: fresh,
            generation: self.generation,
            seen: false,
        });
        self.starts += 1;
        self.next_start_at = None;
        self.state = State::Starting;
        self.reason = String::new();
        Step::Start(fresh)
    }

    fn superseded(&self, run: Run) -> bool {
        self.wanted == Wanted::Stop || run.generation != self.generation
    }

    fn alive(&mut self, run: Run, running: Option<(u16, Option<&str>)>) -> Step {
        self.run = Some(Run { seen: true, ..run });
        if self.superseded(run) {
            self.port = None;
            return Step::End(run.id);
        }
        match running {
            Some((port, None)) => {
                self.port = Some(port);
                self.state = State::Ready;
                self.reason = String::new();
            }
            Some((port, Some(why))) => {
                self.port = Some(port);
                let was_ready = matches!(self.state, State::Ready | State::Unready);
                self.state = if was_ready {
                    State::Unready
                } else {
                    State::Starting
                };
                self.reason = why.to_owned();
            }
            None => {
                self.state = State::Starting;
                self.reason = String::new();
            }
        }
        Step::Nothing
    }

    fn ended(&mut self, run: Run, exit: Option<&Exit>, restart: Restart, now: Timestamp) {
        self.run = None;
        self.port = None;
        self.exit_code = exit.and_then(|exit| exit.code);
        if self.superseded(run) {
            self.after_supersession(now);
            return;
        }
        let why = exit.map_or_else(|| "its process is gone without a record".to_owned(), how);
        if exit.is_some_and(|exit| exit.cause == Cause::NotStarted) {
            self.state = State::Failed;
            self.reason = why;
            return;
        }
        let steady = exit.is_some_and(|exit| exit.ran >= restart.steady);
        self.failures = if steady {
            1
        } else {
            self.failures.saturating_add(1)
        };
        self.next_start_at = Some(now + restart.wait(self.failures));
        self.state = State::Restarting;
        self.reason = why;
    }

    fn after_supersession(&mut self, now: Timestamp) {
        if self.wanted == Wanted::Stop {
            self.stopped(now);
        } else {
            self.unplaced();
        }
    }

    fn unplaced(&mut self) {
        self.node = None;
        self.node_name = String::new();
        self.state = State::Pending;
        self.reason = "waits for a node".to_owned();
    }

    fn stopped(&mut self, now: Timestamp) {
        self.state = State::Stopped;
        self.reason = String::new();
        self.port = None;
        self.next_start_at = None;
        self.stopped_at = Some(now);
    }
}

/// How a process ended, in words.
fn how(exit: &Exit) -> String {
    let code = exit
        .code
        .map_or_else(String::new, |code| format!(" with exit code {code}"));
    let text = match exit.cause {
        Cause::Itself => format!("its process ended by itself{code}"),
        Cause::Cancelled => format!("its process was asked to end{code}"),
        Cause::TimeLimit => "its time was over".to_owned(),
        Cause::MemoryLimit => "it wanted more memory than it may have".to_owned(),
        Cause::NotStarted => "it cannot be started".to_owned(),
        Cause::Broken => "its process was killed from outside".to_owned(),
    };
    if exit.reason.is_empty() {
        text
    } else {
        format!("{text}: {}", exit.reason)
    }
}

#[cfg(test)]
mod tests;
