//! Placeholders: statements are written once with `?1`, and PostgreSQL reads `$1`.
//!
//! What it leaves to others: everything else in a statement. Texts, quoted names and comments stay as they
//! are, whatever they hold.

use std::borrow::Cow;

/// Rewrites `?N` outside of texts, quoted names and comments as `$N`.
pub(crate) fn numbered_for_postgres(sql: &str) -> Cow<'_, str> {
    if !sql.contains('?') {
        return Cow::Borrowed(sql);
    }
    let mut out = String::with_capacity(sql.len());
    let mut copied = 0;
    for at in bare_question_marks(sql) {
        out.push_str(&sql[copied..at]);
        out.push('$');
        copied = at + 1;
    }
    out.push_str(&sql[copied..]);
    Cow::Owned(out)
}

/// Tells whether each placeholder has a number from 1.
pub(crate) fn all_numbered(sql: &str) -> bool {
    let digit = |at: usize| matches!(sql.as_bytes().get(at + 1), Some(b'1'..=b'9'));
    if sql.match_indices('?').all(|(at, _)| digit(at)) {
        return true;
    }
    bare_question_marks(sql).into_iter().all(digit)
}

/// The positions of question marks outside of texts, quoted names and comments.
fn bare_question_marks(sql: &str) -> Vec<usize> {
    let bytes = sql.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1);
        at = match (byte, next) {
            (b'\'' | b'"', _) => after(sql, at + 1, if byte == b'"' { "\"" } else { "'" }),
            (b'-', Some(b'-')) => after(sql, at + 2, "\n"),
            (b'/', Some(b'*')) => after(sql, at + 2, "*/"),
            (b'?', _) => {
                found.push(at);
                at + 1
            }
            _ => at + 1,
        };
    }
    found
}

/// The position after the next `end`, or the end of the statement. A doubled quote inside a text ends it and
/// begins the next one at once, which comes to the same.
fn after(sql: &str, from: usize, end: &str) -> usize {
    sql.get(from..)
        .and_then(|rest| rest.find(end))
        .map_or(sql.len(), |found| from + found + end.len())
}

#[cfg(test)]
mod tests {
    use super::{all_numbered, numbered_for_postgres};

    #[test]
    fn placeholders_become_dollars_and_nothing_else_changes() {
        let cases = [
            ("SELECT 1", "SELECT 1"),
            ("SELECT ?1, ?12", "SELECT $1, $12"),
            ("SELECT '?1', ?1", "SELECT '?1', $1"),
            ("SELECT 'it''s ?1' || ?2", "SELECT 'it''s ?1' || $2"),
            (
                r#"SELECT "odd?1name" FROM t WHERE k=?1"#,
                r#"SELECT "odd?1name" FROM t WHERE k=$1"#,
            ),
            ("SELECT ?1 -- why ?2\n, ?3", "SELECT $1 -- why ?2\n, $3"),
            ("SELECT /* ?1 ' */ ?1", "SELECT /* ?1 ' */ $1"),
            ("SELECT 'ü?1', ?1 -- end", "SELECT 'ü?1', $1 -- end"),
            ("SELECT 'open ?1", "SELECT 'open ?1"),
            ("SELECT 5 - -?1 / ?2", "SELECT 5 - -$1 / $2"),
        ];
        for (ours, theirs) in cases {
            assert_eq!(numbered_for_postgres(ours), theirs, "{ours}");
        }
    }

    #[test]
    fn a_placeholder_without_a_number_is_seen() {
        assert!(all_numbered("SELECT '?', \"?\", ?1 -- ?"));
        for sql in [
            "SELECT ?",
            "SELECT ?, ?1",
            "SELECT '?', ?",
            "SELECT ?0",
            "SELECT ?x",
        ] {
            assert!(!all_numbered(sql), "{sql}");
        }
    }
}
