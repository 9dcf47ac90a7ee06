//! A YAML text as values: one document, whose top is a set of keys.
//!
//! Scalars are texts as they are written: whether `8000` is a number is for the key to judge, and `no` stays `no`.
//! References, tags and several documents are refused, so that what a text becomes is never larger than the text.
//! What it leaves to others: the grammar (crate `saphyr-parser`), the keys (module `manifest`).

use saphyr_parser::{Event, Parser, Span};

/// How deep lists and sets of keys may lie within each other.
const DEEPEST: usize = 8;

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) value: Value,
    /// From 1.
    pub(super) line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// From 1.
    pub(super) line: usize,
    pub(super) node: Node,
}

/// Why a text is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) what: String,
    pub(super) want: String,
}

fn unread(what: String, want: &str) -> Unread {
    Unread {
        what,
        want: want.to_owned(),
    }
}

/// Reads the only document of a text.
pub(super) fn read(text: &str) -> Result<Vec<Entry>, Unread> {
    let mut events = Events(Parser::new_from_str(text));
    let mut top = None;
    loop {
        let (event, span) = events.next()?;
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            Event::Alias(_)
            | Event::Scalar(..)
            | Event::SequenceStart(..)
            | Event::SequenceEnd
            | Event::MappingStart(..)
            | Event::MappingEnd => {
                if top.is_some() {
                    let what = format!("holds a second document (line {})", line(&span));
                    return Err(unread(what, "one manifest in a text"));
                }
                top = Some(events.node(event, &span, 0)?);
            }
        }
    }
    let want = "keys with values, such as `kind: Process`";
    match top.map(|node| node.value) {
        Some(Value::Map(entries)) => Ok(entries),
        Some(Value::Text(_) | Value::List(_)) => Err(unread("is no set of keys".to_owned(), want)),
        None => Err(unread("is empty".to_owned(), want)),
    }
}

struct Events<'a>(Parser<'a, saphyr_parser::StrInput<'a>>);

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Unread> {
        match self.0.next_event() {
            Some(Ok(found)) => Ok(found),
            Some(Err(fault)) => {
                let place = fault.marker();
                let what = format!(
                    "is no YAML at line {}, column {}: {}",
                    place.line(),
                    place.col() + 1,
                    fault.info()
                );
                Err(unread(what, "a YAML text"))
            }
            None => Err(unread("ends too early".to_owned(), "a whole YAML text")),
        }
    }

    fn node(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Node, Unread> {
        let line = line(span);
        let simple = |anchor: usize, tagged: bool, what: &str| {
            if anchor > 0 {
                let what = format!("holds the anchor of a reference (line {line})");
                Err(unread(what, "each value written out"))
            } else if tagged {
                Err(unread(
                    format!("holds a tag at {what} (line {line})"),
                    "values without tags",
                ))
            } else if depth > DEEPEST {
                Err(unread(format!("is too deep (line {line})"), "at most 8 levels"))
            } else {
                Ok(())
            }
        };
        let value = match event {
            Event::Scalar(text, _, anchor, tag) => {
                simple(anchor, tag.is_some(), "a value")?;
                Value::Text(text.into_owned())
            }
            Event::SequenceStart(anchor, tag) => {
                simple(anchor, tag.is_some(), "a list")?;
                self.list(depth)?
            }
            Event::MappingStart(anchor, tag) => {
                simple(anchor, tag.is_some(), "a set of keys")?;
                self.map(depth)?
            }
            Event::Alias(_) => {
                let what = format!("holds a reference (line {line})");
                return Err(unread(what, "each value written out"));
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => {
                return Err(unread(
                    format!("lacks a value (line {line})"),
                    "a whole YAML text",
                ));
            }
        };
        Ok(Node { value, line })
    }

    fn list(&mut self, depth: usize) -> Result<Value, Unread> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Value::List(items));
            }
            items.push(self.node(event, &span, depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Unread> {
        let mut entries = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Value::Map(entries));
            }
            let key = self.node(event, &span, depth + 1)?;
            let (event, span) = self.next()?;
            let node = self.node(event, &span, depth + 1)?;
            let Value::Text(name) = key.value else {
                let what = format!("has a key that is no text (line {})", key.line);
                return Err(unread(what, "keys that are single words"));
            };
            entries.push(Entry {
                key: name,
                line: key.line,
                node,
            });
        }
    }
}

fn line(span: &Span) -> usize {
    span.start.line()
}
