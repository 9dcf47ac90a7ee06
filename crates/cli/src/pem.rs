//! The textual form of certificates (RFC 7468).
//!
//! What it leaves to others: what is in them.

/// The text of a thing in DER, in lines of 64 characters.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(label, der), lines)
}

#[cfg(test)]
mod tests {
    use super::pem;

    #[test]
    fn lines_have_64_characters_and_the_last_one_the_rest() {
        let text = pem("THING", &[0; 49]);
        let lines: Vec<usize> = text.lines().map(str::len).collect();
        assert_eq!(lines, [21, 64, 4, 19]);
        assert!(
            text.starts_with("-----BEGIN THING-----\nAAAA") && text.ends_with("AA==\n-----END THING-----\n")
        );
    }
}
