//! Names of users, nodes and apps, checked once at the edge.
//!
//! What it leaves to others: uniqueness, reserved names and the table of all names (crate `access`).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// A name as it was given, already known to be well formed. It never changes and is never given again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(String);

/// Says why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadName {
    /// The text is empty.
    Empty,
    /// The text is longer than the number of characters given here.
    TooLong(usize),
    /// The text does not start with a lower-case letter.
    BadStart,
    /// The text holds this character, which a name may not hold.
    BadCharacter(char),
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadName::Empty => f.write_str("a name has at least one character"),
            BadName::TooLong(most) => write!(f, "a name has at most {most} characters"),
            BadName::BadStart => f.write_str("a name starts with a letter from a to z"),
            BadName::BadCharacter(found) => {
                write!(
                    f,
                    "a name may not hold {}: use a to z, 0 to 9 and -",
                    found.escape_debug()
                )
            }
        }
    }
}

impl std::error::Error for BadName {}

impl Name {
    /// The most characters of a name made here.
    pub const MOST: usize = 32;
    /// The most characters of a name taken over from another system.
    pub const MOST_IMPORTED: usize = 63;

    /// Takes a name over from another system: 1 to 63 of `A-Z a-z 0-9 _ . @ -`.
    ///
    /// # Errors
    /// [`BadName`] says what is wrong with the text.
    pub fn imported(text: &str) -> Result<Self, BadName> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '@' | '-');
        check(text, Self::MOST_IMPORTED, fits)?;
        Ok(Self(text.to_owned()))
    }

    /// The name as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form under which two names are the same name: ASCII lower case.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

fn check(text: &str, most: usize, fits: impl Fn(char) -> bool) -> Result<(), BadName> {
    if text.is_empty() {
        return Err(BadName::Empty);
    }
    if text.len() > most {
        return Err(BadName::TooLong(most));
    }
    text.chars()
        .find(|&c| !fits(c))
        .map_or(Ok(()), |found| Err(BadName::BadCharacter(found)))
}

/// Parses the name of something made here: `[a-z][a-z0-9-]{0,31}`.
impl FromStr for Name {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        check(text, Self::MOST, |c| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
        })?;
        if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(BadName::BadStart);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Name::imported(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{BadName, Name};

    #[test]
    fn names_made_here_are_short_lower_case_words() {
        for good in ["a", "ada", "w0123-4", "a--b", &"a".repeat(32)] {
            assert_eq!(
                good.parse::<Name>().map(|name| name.to_string()),
                Ok(good.to_owned())
            );
        }
        let long = "a".repeat(33);
        let cases = [
            ("", BadName::Empty),
            (long.as_str(), BadName::TooLong(32)),
            ("1a", BadName::BadStart),
            ("-a", BadName::BadStart),
            ("Ada", BadName::BadCharacter('A')),
            ("a/b", BadName::BadCharacter('/')),
            ("a\nb", BadName::BadCharacter('\n')),
            ("a\u{202e}b", BadName::BadCharacter('\u{202e}')),
        ];
        for (text, fault) in cases {
            assert_eq!(text.parse::<Name>(), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn names_from_elsewhere_keep_their_case_and_fold_to_one_form() {
        let name = Name::imported("Ada.L@Lab_1").expect("allowed characters");
        assert_eq!(
            (name.as_str(), name.folded().as_str()),
            ("Ada.L@Lab_1", "ada.l@lab_1")
        );
        assert_eq!(Name::imported("a b"), Err(BadName::BadCharacter(' ')));
        assert_eq!(Name::imported(&"a".repeat(64)), Err(BadName::TooLong(63)));
    }
}
