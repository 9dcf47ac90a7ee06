//! The version of everything under `proto/`: one number for all packages, in one file, `proto/VERSION`.
//!
//! What it leaves to others: when it moves (`docs/decisions`, and the test that compares it with the last release's).

/// A version of the proto packages: MAJOR breaks clients or configuration, MINOR adds, PATCH changes words only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Moves when a client of the last one may break.
    pub major: u32,
    /// Moves when something is added.
    pub minor: u32,
    /// Moves when only words change.
    pub patch: u32,
}

/// The version of the packages that this program speaks.
pub const VERSION: Version = Version::read(include_str!("../../../proto/VERSION"));

impl Version {
    /// Reads `1.2.3`, with or without a line's end.
    ///
    /// # Panics
    /// For any other text. It is for the files that a build reads.
    #[must_use]
    pub const fn read(text: &str) -> Self {
        let (bytes, mut place) = (text.trim_ascii().as_bytes(), 0);
        let mut parts = [0_u32; 3];
        let mut part = 0;
        let mut digits = 0;
        while place < bytes.len() {
            let byte = bytes[place];
            if byte == b'.' {
                assert!(
                    digits > 0 && part < 2,
                    "a version is three numbers with dots between"
                );
                part += 1;
                digits = 0;
            } else {
                assert!(
                    byte.is_ascii_digit() && digits < 6,
                    "a part of a version is a number"
                );
                parts[part] = parts[part] * 10 + (byte - b'0') as u32;
                digits += 1;
            }
            place += 1;
        }
        assert!(
            part == 2 && digits > 0,
            "a version is three numbers with dots between"
        );
        let [major, minor, patch] = parts;
        Self { major, minor, patch }
    }
}
