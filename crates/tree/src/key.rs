//! Keys: every spelling of one key leads to one normal form, and only that form is looked at from then on.
//!
//! Spellings: bare `a/b`, a leading slash or backslash, `/config/a/b`, `kv://a/b`, `obj://config/a/b`. Backslashes
//! become slashes, empty and `.` segments vanish, `..` takes the segment before it away and stops at the root.
//! What it leaves to others: who may use a key (`rule`).

use std::fmt;

/// The most bytes of a key in its normal form.
pub const MOST_KEY: usize = 512;
/// The most segments of a key.
pub const MOST_SEGMENTS: usize = 32;
/// The first segment under which an older system kept its own records; nobody gets there.
const RESERVED: &str = "__meta";

/// A key in its normal form: segments with single slashes between, at least one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// A place below which keys are listed: a key, or the root as the empty text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(String);

/// Says why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Nothing is left of it.
    #[error("it is empty")]
    Empty,
    /// Its first segment is the reserved one.
    #[error("it begins with `__meta`, which is reserved")]
    Reserved,
    /// It begins with a scheme that names no key of this tree.
    #[error("its scheme is none of `kv://` and `obj://config/`")]
    Scheme,
    /// It holds a control character.
    #[error("it holds a control character")]
    Control,
    /// It is too long.
    #[error("it has {bytes} bytes, want at most 512")]
    TooLong {
        /// Its length in the normal form, or as given where that is far too long.
        bytes: usize,
    },
    /// It has too many segments.
    #[error("it has {segments} segments, want at most 32")]
    TooDeep {
        /// How many it has.
        segments: usize,
    },
}

/// The normal form of any spelling; empty for the root.
fn normal(text: &str) -> Result<String, BadKey> {
    // Dots and slashes vanish, so a longer text than a key may lead to one, but not without end.
    if text.len() > 8 * MOST_KEY {
        return Err(BadKey::TooLong { bytes: text.len() });
    }
    if text.chars().any(char::is_control) {
        return Err(BadKey::Control);
    }
    let text = text.replace('\\', "/");
    let (rest, from_root) = match (text.strip_prefix("kv://"), text.strip_prefix("obj://")) {
        (Some(rest), _) => (rest, false),
        (None, Some(rest)) => (rest.strip_prefix("config/").ok_or(BadKey::Scheme)?, false),
        (None, None) => (text.as_str(), text.starts_with('/')),
    };
    let mut segments: Vec<&str> = Vec::new();
    for segment in rest.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    if from_root && segments.first() == Some(&"config") {
        segments.remove(0);
    }
    if segments.first().is_some_and(|first| first.ends_with(':')) {
        return Err(BadKey::Scheme);
    }
    if segments.first() == Some(&RESERVED) {
        return Err(BadKey::Reserved);
    }
    if segments.len() > MOST_SEGMENTS {
        let segments = segments.len();
        return Err(BadKey::TooDeep { segments });
    }
    let key = segments.join("/");
    if key.len() > MOST_KEY {
        return Err(BadKey::TooLong { bytes: key.len() });
    }
    Ok(key)
}

impl Key {
    /// Reads any spelling.
    ///
    /// # Errors
    /// [`BadKey`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        let key = normal(text)?;
        if key.is_empty() {
            return Err(BadKey::Empty);
        }
        Ok(Self(key))
    }

    /// The normal form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments, at least one.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl Prefix {
    /// Reads any spelling; the empty text and `/` are the root.
    ///
    /// # Errors
    /// [`BadKey`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        normal(text).map(Self)
    }

    /// The normal form; empty for the root.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments; none for the root.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
