//! The life of a job as a pure machine: what stands, what happens, what stands then.
//!
//! What it leaves to others: rows (module `record`), the node (module `agent`), clocks.

use model::Timestamp;

use stage::{Cause, Exit};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It waits for its turn, or is about to start.
    Pending,
    /// Its program runs.
    Running,
    /// Its program ended with 0.
    Completed,
    /// Its program ended with anything else, or could not be started.
    Failed,
    /// Somebody ended it.
    Cancelled,
    /// Its time was over.
    TimedOut,
    /// It wanted more memory than it may have.
    OutOfMemory,
    /// The node has no trace of it, or of its end.
    Lost,
}

impl State {
    /// Every state once, in declaration order.
    pub const ALL: [State; 8] = [
        State::Pending,
        State::Running,
        State::Completed,
        State::Failed,
        State::Cancelled,
        State::TimedOut,
        State::OutOfMemory,
        State::Lost,
    ];

    /// The state as one lower-case word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Running => "running",
            State::Completed => "completed",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
            State::TimedOut => "timed_out",
            State::OutOfMemory => "out_of_memory",
            State::Lost => "lost",
        }
    }

    /// Whether nothing can happen to the job any more.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        !matches!(self, State::Pending | State::Running)
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// The exit code of a program that was ended for the size of a file (SIGXFSZ).
const TOO_LARGE: i32 = 128 + 25;

/// What decides about the next step of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) state: State,
    /// A node was told, or is about to be told, to start it.
    pub(crate) placed: bool,
    pub(crate) cancel_wanted: bool,
}

/// What happens to a job.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event<'a> {
    /// Somebody wants its end.
    Cancel,
    /// A node is chosen.
    Place,
    /// The node says that the program runs.
    Started(Timestamp),
    /// The node says how it ended.
    Ended(&'a Exit),
    /// The node has no trace of it, or of its end.
    Lost,
    /// The node is none of the zone's any more.
    Gone,
}

/// What stands after an event, and why in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) standing: Standing,
    pub(crate) reason: String,
}

impl Standing {
    pub(crate) const NEW: Standing = Standing {
        state: State::Pending,
        placed: false,
        cancel_wanted: false,
    };

    /// The next standing; nothing where the event changes nothing.
    pub(crate) fn after(self, event: Event<'_>) -> Option<Next> {
        if self.state.has_ended() {
            return None;
        }
        match event {
            Event::Cancel if self.cancel_wanted => None,
            Event::Cancel if !self.placed => Some(self.to(State::Cancelled, "cancelled before it started")),
            Event::Cancel => Some(Next {
                standing: Standing {
                    cancel_wanted: true,
                    ..self
                },
                reason: "is being cancelled".to_owned(),
            }),
            Event::Place if self.placed || self.cancel_wanted => None,
            Event::Place => Some(Next {
                standing: Standing { placed: true, ..self },
                reason: "is starting".to_owned(),
            }),
            Event::Started(_) if self.state == State::Pending && self.placed => {
                let reason = if self.cancel_wanted {
                    "is being cancelled"
                } else {
                    ""
                };
                Some(self.to(State::Running, reason))
            }
            Event::Started(_) => None,
            Event::Ended(_) | Event::Lost if !self.placed => None,
            Event::Ended(exit) => Some(self.ended(exit)),
            Event::Lost | Event::Gone if self.cancel_wanted => Some(self.to(State::Cancelled, "cancelled")),
            Event::Lost => Some(self.to(State::Lost, "the node has no record of its end")),
            Event::Gone => Some(self.to(State::Lost, "its node was removed from the zone")),
        }
    }

    fn ended(self, exit: &Exit) -> Next {
        match (exit.cause, exit.code) {
            (Cause::Itself, Some(0)) => self.to(State::Completed, ""),
            (Cause::Itself, Some(TOO_LARGE)) => self.to(
                State::Failed,
                "a file that it wrote, such as its output, grew beyond the bound",
            ),
            (Cause::Itself, Some(code)) if code > 128 => self.to(
                State::Failed,
                &format!("exit code {code} (signal {})", code - 128),
            ),
            (Cause::Itself, Some(code)) => self.to(State::Failed, &format!("exit code {code}")),
            (Cause::Itself, None) => self.to(State::Failed, "no exit code"),
            (Cause::Cancelled, _) if self.cancel_wanted => self.to(State::Cancelled, "cancelled"),
            (Cause::Cancelled, _) => self.to(State::Cancelled, "ended by a signal to its stage on the node"),
            (Cause::TimeLimit, _) => self.to(State::TimedOut, "the time limit was reached"),
            (Cause::MemoryLimit, _) => self.to(State::OutOfMemory, "the memory limit was reached"),
            (Cause::NotStarted, _) if self.cancel_wanted => self.to(State::Cancelled, "cancelled"),
            (Cause::NotStarted, _) => self.to(State::Failed, &format!("not started: {}", exit.reason)),
            (Cause::Broken, _) => self.to(State::Lost, &exit.reason),
        }
    }

    fn to(self, state: State, reason: &str) -> Next {
        Next {
            standing: Standing { state, ..self },
            reason: reason.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
