//! A manifest: what somebody wants to run, as YAML text, and everything that can be wrong with it.
//!
//! The form, every key of it:
//! ```yaml
//! kind: Process                # always
//! name: hello                  # the service's name
//! command: [python3, -m, http.server]   # a list of words, or a text that is run as a script
//! port: 8000                   # absent: the node picks a free one; PORT says it either way
//! environment: { GREETING: hello }
//! health_path: /               # asked over HTTP; absent: a connection is enough
//! working_directory: site      # relative to the home; absent: the home
//! memory_mib: 512              # absent: the zone's default
//! ```
//! What it leaves to others: the text as values (module `yaml`), keeping it (module `deploy`).

mod yaml;

use std::{collections::BTreeMap, fmt};

use model::Name;
use serde::{Deserialize, Serialize};
use stage::Work;

use yaml::{Entry, Node, Value};

/// A service as somebody wants it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The service's name.
    pub name: Name,
    /// What is run.
    pub work: Work,
    /// The port at which it answers; none: the node picks one.
    pub port: Option<u16>,
    /// What it finds in its environment.
    pub environment: BTreeMap<String, String>,
    /// What is asked over HTTP to see whether it answers; none: a connection is enough.
    pub health_path: Option<String>,
    /// Relative to the home; empty: the home.
    pub working_directory: String,
    /// Bytes of memory; none: the zone's default.
    pub memory_bytes: Option<u64>,
}

impl fmt::Debug for Draft {
    /// Command and environment may hold secrets and stay unsaid.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("Draft");
        form.field("name", &self.name).field("port", &self.port);
        form.finish_non_exhaustive()
    }
}

/// One thing that is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, with those above it and dots between; `manifest` for the whole text.
    pub field: String,
    /// What is wrong, and in which line.
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

/// The most bytes of a manifest.
pub(crate) const MOST_BYTES: usize = 1 << 20;

const KNOWN: &str = "kind, name, command, port, environment, health_path, working_directory, memory_mib";
const KIND: &str = "Process";
const MOST_WORDS: usize = 4096;
const MOST_WORDS_BYTES: usize = 100_000;
const MOST_PATH_BYTES: usize = 4000;
const MOST_MEMORY_MIB: u64 = 1 << 40;

/// Reads a manifest, or says everything that is wrong with it.
pub(crate) fn read(text: &str) -> Result<Draft, Vec<Fault>> {
    let mut reader = Reader { faults: Vec::new() };
    if text.len() > MOST_BYTES {
        reader.add("manifest", "is too long", format!("at most {MOST_BYTES} bytes"));
        return Err(reader.faults);
    }
    let entries = match yaml::read(text) {
        Ok(entries) => entries,
        Err(fault) => {
            reader.add("manifest", fault.what, fault.want);
            return Err(reader.faults);
        }
    };
    match reader.document(entries) {
        Some(draft) if reader.faults.is_empty() => Ok(draft),
        _ => Err(reader.faults),
    }
}

struct Reader {
    faults: Vec<Fault>,
}

impl Reader {
    fn add(&mut self, field: impl Into<String>, what: impl Into<String>, want: impl Into<String>) {
        self.faults.push(Fault {
            field: field.into(),
            what: what.into(),
            want: want.into(),
        });
    }

    fn at(&mut self, field: &str, line: usize, what: &str, want: impl Into<String>) {
        self.add(field, format!("{what} (line {line})"), want);
    }

    fn document(&mut self, entries: Vec<Entry>) -> Option<Draft> {
        let mut keys: BTreeMap<String, Node> = BTreeMap::new();
        for Entry { key, line, node } in entries {
            if !KNOWN.split(", ").any(|known| known == key) {
                self.at(&visible(&key), line, "is not known", format!("one of {KNOWN}"));
            } else if keys.insert(key.clone(), node).is_some() {
                self.at(&key, line, "is there twice", "each key once");
            }
        }
        self.kind(keys.remove("kind"));
        let name = self.name(keys.remove("name"));
        let work = self.command(keys.remove("command"));
        let port = self.port(keys.remove("port"));
        let environment = self.environment(keys.remove("environment"));
        let health_path = self.health_path(keys.remove("health_path"));
        let working_directory = self.working_directory(keys.remove("working_directory"));
        let memory_bytes = self.memory(keys.remove("memory_mib"));
        Some(Draft {
            name: name?,
            work: work?,
            port,
            environment,
            health_path,
            working_directory,
            memory_bytes,
        })
    }

    fn kind(&mut self, node: Option<Node>) {
        let want = "`kind: Process`, a program that runs as you";
        match self.needed("kind", node, want) {
            Some((kind, _)) if kind == KIND => {}
            Some((kind, line)) => {
                let what = format!("is `{}`, which this release does not run", visible(&kind));
                self.at("kind", line, &what, want);
            }
            None => {}
        }
    }

    fn name(&mut self, node: Option<Node>) -> Option<Name> {
        let want = "1 to 32 of a to z, 0 to 9 and -, beginning with a letter";
        let (text, line) = self.needed("name", node, want)?;
        let name = text.parse::<Name>();
        if let Err(fault) = &name {
            self.at("name", line, "is no name", format!("{fault}"));
        }
        name.ok()
    }

    fn command(&mut self, node: Option<Node>) -> Option<Work> {
        let want = "a list of words such as [python3, -m, http.server], or a script as text";
        let Some(node) = node else {
            self.add("command", "is missing", want);
            return None;
        };
        match node.value {
            Value::Text(script) => self.script(script, node.line, want),
            Value::List(items) => self.words(items, node.line, want),
            Value::Map(_) => {
                self.at("command", node.line, "is neither a list nor a text", want);
                None
            }
        }
    }

    fn script(&mut self, script: String, line: usize, want: &str) -> Option<Work> {
        let fault = if script.trim().is_empty() {
            "is empty"
        } else if script.contains('\0') {
            "holds a zero byte"
        } else {
            return Some(Work::Script(script));
        };
        self.at("command", line, fault, want);
        None
    }

    fn words(&mut self, items: Vec<Node>, line: usize, want: &str) -> Option<Work> {
        let mut words = Vec::new();
        for item in items {
            if let Value::Text(word) = item.value {
                words.push(word);
            } else {
                self.at("command", item.line, "holds something that is no word", want);
                return None;
            }
        }
        let bytes: usize = words.iter().map(String::len).sum();
        let fault = if words.first().is_none_or(String::is_empty) {
            "names no program"
        } else if words.len() > MOST_WORDS || bytes > MOST_WORDS_BYTES {
            "is too long"
        } else if words.iter().any(|word| word.contains('\0')) {
            "holds a zero byte"
        } else {
            return Some(Work::Arguments(words));
        };
        let want = format!("{want}; at most {MOST_WORDS} words of {MOST_WORDS_BYTES} bytes together");
        self.at("command", line, fault, want);
        None
    }

    fn port(&mut self, node: Option<Node>) -> Option<u16> {
        let want = "a whole number from 1024 to 65535; without it the node picks a port and PORT says which";
        let (text, line) = self.text("port", node?, want)?;
        let port = whole(&text).and_then(|number| u16::try_from(number).ok());
        let port = port.filter(|&port| port >= 1024);
        if port.is_none() {
            self.at("port", line, &format!("is `{}`", visible(&text)), want);
        }
        port
    }

    fn environment(&mut self, node: Option<Node>) -> BTreeMap<String, String> {
        let mut environment = BTreeMap::new();
        let want = "names with one text each, such as { GREETING: hello }";
        let entries = match node.map(|node| (node.line, node.value)) {
            None => return environment,
            Some((_, Value::Map(entries))) => entries,
            Some((line, _)) => {
                self.at("environment", line, "is no set of names", want);
                return environment;
            }
        };
        let mut bytes = 0;
        for Entry { key, line, node } in entries {
            let field = format!("environment.{}", visible(&key));
            let Some((text, _)) = self.text(&field, node, want) else {
                continue;
            };
            bytes += key.len() + text.len();
            if !is_variable(&key) {
                let want =
                    "letters of a to z and A to Z, digits and _, not beginning with a digit; at most 128";
                self.at(&field, line, "is no name of a variable", want);
            } else if key == "PORT" || key.starts_with("SOKE_") {
                self.at(&field, line, "is set by the zone", "another name");
            } else if text.contains('\0') {
                self.at(&field, line, "holds a zero byte", "a text without one");
            } else if environment.insert(key, text).is_some() {
                self.at(&field, line, "is there twice", "each name once");
            }
        }
        if bytes > MOST_WORDS_BYTES {
            let want = format!("at most {MOST_WORDS_BYTES} bytes together");
            self.add("environment", "is too long", want);
        }
        environment
    }

    fn health_path(&mut self, node: Option<Node>) -> Option<String> {
        let want = "a path such as /healthz: a slash, then visible ASCII characters, at most 4000";
        let (text, line) = self.text("health_path", node?, want)?;
        let visible_only = text.chars().all(|c| c.is_ascii_graphic() && c != '#');
        if !text.starts_with('/') || !visible_only || text.len() > MOST_PATH_BYTES {
            self.at("health_path", line, &format!("is `{}`", visible(&text)), want);
            return None;
        }
        Some(text)
    }

    fn working_directory(&mut self, node: Option<Node>) -> String {
        let want = "a path, relative to the home, of at most 4000 bytes";
        let found = node.and_then(|node| self.text("working_directory", node, want));
        let Some((text, line)) = found else {
            return String::new();
        };
        if text.contains('\0') || text.len() > MOST_PATH_BYTES {
            self.at("working_directory", line, "is no path", want);
        }
        text
    }

    fn memory(&mut self, node: Option<Node>) -> Option<u64> {
        let want = "a whole number of MiB, from 1";
        let (text, line) = self.text("memory_mib", node?, want)?;
        let mib = whole(&text).filter(|mib| (1..=MOST_MEMORY_MIB).contains(mib));
        if mib.is_none() {
            self.at("memory_mib", line, &format!("is `{}`", visible(&text)), want);
        }
        mib.map(|mib| mib << 20)
    }

    fn needed(&mut self, field: &str, node: Option<Node>, want: &str) -> Option<(String, usize)> {
        match node {
            Some(node) => self.text(field, node, want),
            None => {
                self.add(field, "is missing", want);
                None
            }
        }
    }

    fn text(&mut self, field: &str, node: Node, want: &str) -> Option<(String, usize)> {
        if let Value::Text(text) = node.value {
            return Some((text, node.line));
        }
        self.at(field, node.line, "is no single value", want);
        None
    }
}

/// A number as YAML and people write it: digits only.
fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn is_variable(name: &str) -> bool {
    let begins = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    begins
        && name.len() <= 128
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A text as it may be shown in an answer: short, and without what a terminal would obey.
fn visible(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests;
