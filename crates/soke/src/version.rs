//! What `soke --version` prints: two lines, before any configuration is read.
//!
//! The form is that of the compute gateway's command line: `Current version: ` and `Building info: `, the
//! latter a short commit, `+` and the time of the build where make set them, and empty otherwise.

/// The version of this binary.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The two lines, each with its line end.
pub(crate) fn lines() -> String {
    lines_of(option_env!("SOKE_COMMIT"), option_env!("SOKE_BUILT"))
}

fn lines_of(commit: Option<&str>, built: Option<&str>) -> String {
    let building = match (commit.unwrap_or_default(), built.unwrap_or_default()) {
        ("", _) | (_, "") => String::new(),
        (commit, built) => format!("{commit}+{built}"),
    };
    format!("Current version: {VERSION}\nBuilding info: {building}\n")
}

#[cfg(test)]
mod tests {
    use super::lines_of;

    #[test]
    fn the_build_is_named_when_make_built_it_and_empty_otherwise() {
        let made = lines_of(Some("abc1234"), Some("2026-11-20T06:00:00Z"));
        assert!(
            made.ends_with("\nBuilding info: abc1234+2026-11-20T06:00:00Z\n"),
            "{made}"
        );
        let plain = lines_of(None, None);
        assert!(
            plain.starts_with("Current version: ") && plain.ends_with("\nBuilding info: \n"),
            "{plain}"
        );
    }
}
