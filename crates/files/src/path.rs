//! A path as a caller gave it, checked once at the edge.
//!
//! What it leaves to others: what the path leads to. The system's own rules for the user decide that, in the
//! user's process; nothing here compares or shortens paths, since a name of a path means nothing before it
//! is opened.

use std::fmt;

/// A path on a node: absolute, or relative to the user's home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath(String);

/// Says why a text is not a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPath {
    /// The text is empty.
    Empty,
    /// The text holds a NUL character, which no path can.
    Nul,
    /// The text is longer than [`FilePath::MOST`] bytes.
    TooLong,
}

impl FilePath {
    /// The most bytes of a path: Linux takes 4096 with the closing NUL (path_resolution(7)).
    pub const MOST: usize = 4095;

    /// Checks a text.
    ///
    /// # Errors
    /// [`BadPath`] says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, BadPath> {
        if text.is_empty() {
            return Err(BadPath::Empty);
        }
        if text.contains('\0') {
            return Err(BadPath::Nul);
        }
        if text.len() > Self::MOST {
            return Err(BadPath::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// The path as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl BadPath {
    /// What would be right instead, in words.
    #[must_use]
    pub const fn wanted() -> &'static str {
        "an absolute path or one relative to the home, 1 to 4095 bytes without NUL; `.` is the home"
    }
}

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadPath::Empty => "is empty",
            BadPath::Nul => "holds a NUL character",
            BadPath::TooLong => "is longer than 4095 bytes",
        })
    }
}

impl std::error::Error for BadPath {}

#[cfg(test)]
mod tests {
    use super::{BadPath, FilePath};

    #[test]
    fn only_empty_nul_and_over_long_texts_are_no_paths() {
        let longest = "a".repeat(4095);
        for good in [
            ".",
            "/",
            "a b",
            "../x",
            "line\nbreak",
            "\u{fffd}",
            longest.as_str(),
        ] {
            assert_eq!(FilePath::new(good).map(|path| path.as_str() == good), Ok(true));
        }
        let long = "a".repeat(4096);
        for (bad, why) in [
            ("", BadPath::Empty),
            ("a\0b", BadPath::Nul),
            (long.as_str(), BadPath::TooLong),
        ] {
            assert_eq!(FilePath::new(bad), Err(why));
        }
    }
}
