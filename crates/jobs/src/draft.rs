//! A job as somebody wants it, and everything that can be wrong with that.
//!
//! What it leaves to others: reading it from a protocol (the dialects), keeping it (module `submit`).

use std::fmt;

use model::Span;
use serde::{Deserialize, Serialize};
use stage::Work;

use crate::{Config, node::Capacity};

/// What stands in the place of a node's name where any will do.
pub const ANYWHERE: &str = "any";

/// What one of the zone's nodes offers.
pub(crate) struct Offer {
    pub(crate) name: String,
    pub(crate) is_usual: bool,
    /// None where the node was not heard of since the start.
    pub(crate) capacity: Option<Capacity>,
}

impl Offer {
    /// Whether a job may run here that wants `node`.
    pub(crate) fn suits(name: &str, is_usual: bool, node: &str) -> bool {
        match node {
            ANYWHERE => true,
            "" => is_usual,
            named => named == name,
        }
    }
}

/// A job as somebody wants it. What is `None` or empty takes the zone's default; what is given is checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// 1 to 64 characters; empty: named after the command.
    pub name: String,
    /// What is run.
    pub work: Work,
    /// Cores, from 1 to the node's.
    pub cores: Option<u32>,
    /// Bytes of memory, from 1 MiB to the node's.
    pub memory_bytes: Option<u64>,
    /// On which node: its name, [`ANYWHERE`], or empty for the zone's usual one.
    #[serde(default)]
    pub node: String,
    /// How long it may run, from 1 second to the zone's bound.
    pub time_limit: Option<Span>,
    /// Relative to the home, or absolute; empty: the home.
    pub working_directory: String,
    /// Relative to the working directory, or absolute; `%j` is the job's number, `%%` a percent sign; empty:
    /// `job-<number>.out`.
    pub stdout_path: String,
    /// As the path of standard output; empty: `job-<number>.err`.
    pub stderr_path: String,
    /// The caller's own id of this request, at most 64 characters; empty: none.
    pub request_id: String,
    /// Refuse the job while an unfinished one of the same user has its name.
    pub name_must_be_free: bool,
    /// Who pays, in the words of other systems; kept and shown.
    pub account: String,
    /// Kept and shown.
    pub partition: String,
    /// Kept and shown.
    pub qos: String,
    /// Kept and shown.
    pub comment: String,
}

impl Draft {
    /// A draft that takes every default.
    #[must_use]
    pub const fn of(work: Work) -> Self {
        Self {
            name: String::new(),
            work,
            cores: None,
            memory_bytes: None,
            node: String::new(),
            time_limit: None,
            working_directory: String::new(),
            stdout_path: String::new(),
            stderr_path: String::new(),
            request_id: String::new(),
            name_must_be_free: false,
            account: String::new(),
            partition: String::new(),
            qos: String::new(),
            comment: String::new(),
        }
    }
}

/// One thing that is wrong with a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field, as [`Draft`] spells it.
    pub field: &'static str,
    /// What is wrong with it.
    pub what: String,
    /// What would be right.
    pub want: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.field, self.what, self.want)
    }
}

pub(crate) fn listed(faults: &[Fault]) -> String {
    let texts: Vec<String> = faults.iter().map(Fault::to_string).collect();
    texts.join("; ")
}

/// The most bytes of a script.
pub(crate) const MOST_SCRIPT_BYTES: usize = 1 << 20;
const MOST_ARGUMENTS: usize = 4096;
const MOST_ARGUMENT_BYTES: usize = 100_000;
const MOST_PATH_BYTES: usize = 4000;
const MOST_NAME: usize = 64;
const MOST_WORD: usize = 256;
const LEAST_MEMORY: u64 = 1 << 20;

/// The draft with every default filled in, or everything that is wrong with it.
pub(crate) fn settle(mut draft: Draft, config: &Config, offers: &[Offer]) -> Result<Draft, Vec<Fault>> {
    let mut faults = Faults(Vec::new());
    faults.work(&draft.work);
    if draft.name.is_empty() {
        draft.name = name_of(&draft.work);
    }
    faults.text("name", &draft.name, MOST_NAME);
    faults.text("request_id", &draft.request_id, MOST_NAME);
    for (field, value) in [
        ("account", &draft.account),
        ("partition", &draft.partition),
        ("qos", &draft.qos),
        ("comment", &draft.comment),
    ] {
        faults.text(field, value, MOST_WORD);
    }
    for (field, value) in [
        ("working_directory", &draft.working_directory),
        ("stdout_path", &draft.stdout_path),
        ("stderr_path", &draft.stderr_path),
    ] {
        faults.path(field, value);
    }
    let most = faults.most(&draft.node, offers);
    let cores = draft.cores.unwrap_or(1);
    faults.within("cores", u64::from(cores), 1, u64::from(most.cores), "cores");
    let memory = draft.memory_bytes;
    let memory = memory.unwrap_or_else(|| config.default_memory_bytes.min(most.memory_bytes));
    faults.within("memory_bytes", memory, LEAST_MEMORY, most.memory_bytes, "bytes");
    let limit = draft.time_limit.unwrap_or(config.default_time_limit);
    let most_secs = config.most_time_limit.secs();
    if limit < Span::from_secs(1) || limit > config.most_time_limit {
        faults.add(
            "time_limit",
            format!("is {} seconds", limit.secs()),
            format!("1 to {most_secs} seconds"),
        );
    }
    if !faults.0.is_empty() {
        return Err(faults.0);
    }
    draft.cores = Some(cores);
    draft.memory_bytes = Some(memory);
    draft.time_limit = Some(limit);
    Ok(draft)
}

/// The most that a job may ask for.
struct Most {
    cores: u32,
    memory_bytes: u64,
}

struct Faults(Vec<Fault>);

impl Faults {
    /// The most of each that some node offers which suits. A node that nobody heard of yet may offer anything.
    fn most(&mut self, node: &str, offers: &[Offer]) -> Most {
        let suits = |offer: &&Offer| Offer::suits(&offer.name, offer.is_usual, node);
        let suiting: Vec<&Offer> = offers.iter().filter(suits).collect();
        let named = !node.is_empty() && node != ANYWHERE;
        if named && suiting.is_empty() {
            let what = format!("is `{}`, which is no node of this zone", node.escape_debug());
            self.add("node", what, "a name that `soke nodes` lists, `any`, or nothing");
        }
        let most = |of: fn(&Capacity) -> u64| {
            let each = suiting
                .iter()
                .map(|offer| offer.capacity.as_ref().map_or(u64::MAX, of));
            each.max().unwrap_or(u64::MAX)
        };
        Most {
            cores: u32::try_from(most(|capacity| u64::from(capacity.cores))).unwrap_or(u32::MAX),
            memory_bytes: most(|capacity| capacity.memory_bytes),
        }
    }

    fn add(&mut self, field: &'static str, what: impl Into<String>, want: impl Into<String>) {
        self.0.push(Fault {
            field,
            what: what.into(),
            want: want.into(),
        });
    }

    fn work(&mut self, work: &Work) {
        match work {
            Work::Script(text) if text.trim().is_empty() => {
                self.add("work", "is empty", "a script, or a program with its arguments");
            }
            Work::Script(text) if text.len() > MOST_SCRIPT_BYTES => {
                let what = format!("is a script of {} bytes", text.len());
                self.add("work", what, format!("at most {MOST_SCRIPT_BYTES} bytes"));
            }
            Work::Script(text) if text.contains('\0') => {
                self.add("work", "is a script with a zero byte", "text without one");
            }
            Work::Arguments(words) if words.first().is_none_or(String::is_empty) => {
                self.add("work", "names no program", "a program as the first word");
            }
            Work::Arguments(words)
                if words.len() > MOST_ARGUMENTS
                    || words.iter().map(String::len).sum::<usize>() > MOST_ARGUMENT_BYTES =>
            {
                let want =
                    format!("at most {MOST_ARGUMENTS} arguments of {MOST_ARGUMENT_BYTES} bytes together");
                self.add("work", "has too many arguments", want);
            }
            Work::Arguments(words) if words.iter().any(|word| word.contains('\0')) => {
                self.add("work", "has an argument with a zero byte", "text without one");
            }
            Work::Script(_) | Work::Arguments(_) => {}
        }
    }

    fn text(&mut self, field: &'static str, text: &str, most: usize) {
        if text.chars().count() > most {
            self.add(field, "is too long", format!("at most {most} characters"));
        }
        if text.chars().any(char::is_control) {
            self.add(field, "holds a control character", "text on one line");
        }
    }

    fn path(&mut self, field: &'static str, path: &str) {
        if path.len() > MOST_PATH_BYTES {
            self.add(field, "is too long", format!("at most {MOST_PATH_BYTES} bytes"));
        }
        if path.contains('\0') {
            self.add(field, "holds a zero byte", "a path without one");
        }
        if path.ends_with('/') && field != "working_directory" {
            self.add(field, "ends with a slash", "the path of a file");
        }
    }

    fn within(&mut self, field: &'static str, value: u64, least: u64, most: u64, unit: &str) {
        if value < least || value > most {
            self.add(field, format!("is {value}"), format!("{least} to {most} {unit}"));
        }
    }
}

/// A name for a job that was given none: its program, or `script`.
fn name_of(work: &Work) -> String {
    let Work::Arguments(words) = work else {
        return "script".to_owned();
    };
    let program = words.first().map_or("", String::as_str);
    let last = program.rsplit('/').next().unwrap_or(program);
    let name: String = last.chars().filter(|c| !c.is_control()).take(MOST_NAME).collect();
    if name.is_empty() { "job".to_owned() } else { name }
}

#[cfg(test)]
mod tests;
