//! Text that must never be shown: passwords, tokens, codes.
//!
//! What it leaves to others: sealing at rest (`seal`) and hashing (`password`, `digest`).

use zeroize::Zeroizing;

/// A text that no log and no error can print: it has no `Debug`, no `Display` and no `Clone`, and its bytes
/// are overwritten when it is dropped.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself. Pass it on to the one place that needs it and to nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}
