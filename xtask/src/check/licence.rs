//! Which licences may enter the graph: a reader for SPDX expressions and the list of those that are welcome.

/// Licences that ask for no more than keeping a notice, so that the binary can be handed on under Apache-2.0.
const WELCOME: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether an SPDX expression can be met by the welcome licences alone.
///
/// Knows `AND`, `OR`, `WITH`, parentheses and the old `/` for `OR`. An expression it cannot read is not welcome.
pub(crate) fn is_welcome(expression: &str) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest) == Some(true) && rest.is_empty()
}

fn any_of(words: &mut &[&str]) -> Option<bool> {
    let mut met = all_of(words)?;
    while let [first, rest @ ..] = *words
        && *first == "OR"
    {
        *words = rest;
        met |= all_of(words)?;
    }
    Some(met)
}

fn all_of(words: &mut &[&str]) -> Option<bool> {
    let mut met = one(words)?;
    while let [first, rest @ ..] = *words
        && *first == "AND"
    {
        *words = rest;
        met &= one(words)?;
    }
    Some(met)
}

fn one(words: &mut &[&str]) -> Option<bool> {
    let (first, rest) = words.split_first()?;
    *words = rest;
    if *first == "(" {
        let met = any_of(words)?;
        let (close, rest) = words.split_first()?;
        *words = rest;
        return (*close == ")").then_some(met);
    }
    if let ["WITH", _exception, rest @ ..] = *words {
        *words = rest;
    }
    Some(WELCOME.contains(first))
}

#[cfg(test)]
mod tests {
    use super::is_welcome;

    #[test]
    fn a_choice_needs_one_welcome_licence_and_a_sum_needs_all() {
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
            "ISC AND (MIT OR GPL-2.0)",
        ] {
            assert!(is_welcome(good), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "MIT OR",
            "(MIT",
            "MIT Apache-2.0",
            "AGPL-3.0 WITH x",
        ] {
            assert!(!is_welcome(bad), "{bad}");
        }
    }
}
