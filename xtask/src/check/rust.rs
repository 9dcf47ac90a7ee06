//! The rules for one Rust file: its header, its lengths, and what it may not write.

use std::{collections::BTreeSet, ops::RangeInclusive};

use proc_macro2::{Delimiter, TokenStream};

use super::{
    Breach,
    exempt::{self, MAY_SLEEP},
    length,
    tokens::{Kind, Row},
    tree::File,
};

/// Attributes that no file may carry, and what to do instead.
const FORBIDDEN_ATTRIBUTES: &[(&str, &str)] = &[
    (
        "allow",
        "write #[expect(lint, reason = \"...\")] on the smallest item, or mend the code",
    ),
    ("ignore", "let the test run, or take it out"),
    ("should_panic", "return an error and assert on it"),
];

/// Methods that hand on the thing itself, so that what stands before them is still the receiver.
const SAME_THING: &[&str] = &["clone", "as_ref", "borrow", "deref", "to_owned"];

/// A word that gives away what is used, what that is, and what to do instead.
type Part = (&'static str, &'static str, &'static str);

const SERVE: &str = "use rpc::serve and rpc::connect";
const CREDENTIALS: &str = "give rpc::CallCredentials to a channel, or rpc::Authenticator to rpc::Calls";

/// Modules of tonic that only rpc uses.
const TONIC_MODULES: &[Part] = &[
    ("transport", "transport", SERVE),
    ("interceptor", "interceptors", CREDENTIALS),
];

/// Names that nobody else gives to anything: who writes them uses tonic's.
const TONIC_NAMES: &[Part] = &[
    ("Interceptor", "interceptors", CREDENTIALS),
    ("InterceptorLayer", "interceptors", CREDENTIALS),
    ("InterceptedService", "interceptors", CREDENTIALS),
    ("with_interceptor", "interceptors", CREDENTIALS),
    (
        "set_timeout",
        "timeout",
        "use rpc::within, or a deadline among rpc::CallOptions",
    ),
];

/// Checks one Rust file of a crate with these dependencies.
pub(crate) fn check(file: &File, dependencies: &BTreeSet<String>) -> Vec<Breach> {
    let path = &file.path;
    let mut breaches = Vec::new();
    if !file.text.starts_with("//!") {
        let cure = "say in `//!` lines what the file is for and what it leaves to others";
        breaches.push(Breach::new(path, 1, "the file has no `//!` header", cure));
    }
    let (Ok(syntax), Ok(stream)) = (syn::parse_file(&file.text), file.text.parse::<TokenStream>()) else {
        breaches.push(Breach::new(path, 1, "the file is not Rust", "run `cargo check`"));
        return breaches;
    };
    let tests = if exempt::is_test_file(path) {
        vec![1..=usize::MAX]
    } else {
        length::test_lines(&syntax)
    };
    breaches.extend(length::check(file, &syntax, &tests));
    let row = Row::new(stream);
    for at in 0..row.len() {
        breaches.extend(attribute(path, &row, at));
        breaches.extend(store_write(path, &row, at));
        breaches.extend(of_tonic(path, &row, at));
        breaches.extend(re_export(path, &row, at, dependencies));
        breaches.extend(sleep(file, &row, at, &tests));
    }
    breaches
}

/// `#[allow(..)]`, `#[ignore]`, `#[should_panic]`, also through `cfg_attr`.
fn attribute(path: &str, row: &Row, at: usize) -> Option<Breach> {
    if !row.is_mark(at, '#') {
        return None;
    }
    let open = if row.is_mark(at + 1, '!') { at + 2 } else { at + 1 };
    let end = row.group_end(open, Delimiter::Bracket)?;
    let first = row.word(open + 1)?;
    let inside = match first {
        "cfg_attr" => open + 1..end,
        _ => open + 1..open + 2,
    };
    let (name, cure) = inside
        .filter_map(|place| row.word(place))
        .find_map(|word| FORBIDDEN_ATTRIBUTES.iter().find(|(name, _)| *name == word))?;
    Some(Breach::new(
        path,
        row.line(at),
        format!("the attribute `{name}`"),
        *cure,
    ))
}

/// A call of the store's `write` outside the rooms that may: `permit.write(&store, ..)` is the way in.
///
/// Decided by how the call reads: the receiver's last name is `store` or ends with `_store`, the path is
/// `Store::write`, or the first argument is a closure (a permit's `write` takes the store first).
fn store_write(path: &str, row: &Row, at: usize) -> Option<Breach> {
    if row.word(at) != Some("write") || exempt::lies_in(path, exempt::STORE_WRITERS) {
        return None;
    }
    let by_type = at >= 3 && row.is_path_mark(at - 2) && row.word(at - 3) == Some("Store");
    let call = after_generics(row, at + 1);
    let by_method =
        at >= 1 && row.is_mark(at - 1, '.') && row.group_end(call, Delimiter::Parenthesis).is_some();
    let on_store = || receiver(row, at - 1).is_some_and(|name| name == "store" || name.ends_with("_store"));
    let with_closure =
        || row.is_mark(call + 1, '|') || (row.word(call + 1) == Some("move") && row.is_mark(call + 2, '|'));
    if by_type || (by_method && (on_store() || with_closure())) {
        let cure = "go through access: `permit.write(&store, |tx| ..)`";
        return Some(Breach::new(
            path,
            row.line(at),
            "`store.write` outside access",
            cure,
        ));
    }
    None
}

/// Skips a turbofish, if one starts at the place.
fn after_generics(row: &Row, at: usize) -> usize {
    if !(row.is_path_mark(at) && row.is_mark(at + 2, '<')) {
        return at;
    }
    let mut depth = 0_usize;
    for place in at + 2..row.len() {
        match row.kind(place) {
            Some(Kind::Mark('<')) => depth += 1,
            Some(Kind::Mark('>')) if depth == 1 => return place + 1,
            Some(Kind::Mark('>')) => depth -= 1,
            _ => {}
        }
    }
    at
}

/// The last name of what stands before the dot at a place: `self.store.clone()` is `store`.
fn receiver(row: &Row, dot: usize) -> Option<&str> {
    let mut at = dot.checked_sub(1)?;
    loop {
        match row.kind(at)? {
            Kind::Close(open) => at = open.checked_sub(1)?,
            Kind::Mark('?') => at = at.checked_sub(1)?,
            Kind::Word(word)
                if SAME_THING.contains(&word.as_str()) && at >= 2 && row.is_mark(at - 1, '.') =>
            {
                at -= 2
            }
            Kind::Word(word) => return Some(word),
            Kind::Mark(_) | Kind::Open(..) | Kind::Literal => return None,
        }
    }
}

/// What only rpc uses of tonic, written as one path or inside a `use tonic::{..}`.
fn of_tonic(path: &str, row: &Row, at: usize) -> Option<Breach> {
    if exempt::lies_in(path, exempt::TRANSPORT) {
        return None;
    }
    let among = |parts: &'static [Part], place| {
        let part = parts.iter().find(|(word, ..)| row.word(place) == Some(*word))?;
        let what = format!("tonic's {} outside rpc", part.1);
        Some(Breach::new(path, row.line(place), what, part.2))
    };
    if let Some(breach) = among(TONIC_NAMES, at) {
        return Some(breach);
    }
    let follows = |words: &[&str]| {
        let before = words.iter().rev().zip(1..);
        at >= 3 * words.len()
            && before.into_iter().all(|(word, back)| {
                row.is_path_mark(at - 3 * back + 1) && row.word(at - 3 * back) == Some(word)
            })
    };
    if follows(&["service"]) && !follows(&["tonic", "service"]) {
        return among(TONIC_MODULES, at);
    }
    if row.word(at) != Some("tonic") {
        return None;
    }
    let mut place = at;
    if let Some(breach) = renamed(path, row, place) {
        return Some(breach);
    }
    while row.is_path_mark(place + 1) {
        place += 3;
        let end = row.group_end(place, Delimiter::Brace).unwrap_or(place);
        let breach = |place| among(TONIC_MODULES, place).or_else(|| renamed(path, row, place));
        if let Some(breach) = (place..=end).find_map(breach) {
            return Some(breach);
        }
    }
    None
}

/// `tonic as other`, or the same of one of its modules: what is used under that name would not be seen.
fn renamed(path: &str, row: &Row, at: usize) -> Option<Breach> {
    let name = row.word(at)?;
    let is_cast = name == "tonic" && at > 0 && !matches!(row.word(at - 1), Some("use" | "crate"));
    let is_module = name.starts_with(|first: char| first.is_ascii_lowercase());
    if is_cast || !is_module || row.word(at + 1) != Some("as") || row.word(at + 2) == Some("_") {
        return None;
    }
    let what = format!("another name for tonic's `{name}`");
    let cure = "write it as tonic has it, so that what is used of it is seen";
    Some(Breach::new(path, row.line(at), what, cure))
}

/// `pub use` of something that another crate made.
fn re_export(path: &str, row: &Row, at: usize, dependencies: &BTreeSet<String>) -> Option<Breach> {
    let from = row
        .word(at + 2)
        .filter(|_| row.word(at) == Some("pub") && row.word(at + 1) == Some("use"))?;
    let what = format!("a re-export from the crate `{from}`");
    let cure = "let users name that crate themselves, or wrap what it is in a type of our own";
    (dependencies.contains(from) && row.is_path_mark(at + 3))
        .then(|| Breach::new(path, row.line(at), what, cure))
}

/// A bare `sleep(..)` in test code without its reason.
fn sleep(file: &File, row: &Row, at: usize, tests: &[RangeInclusive<usize>]) -> Option<Breach> {
    let line = row.line(at);
    let called = row.word(at) == Some("sleep") && row.group_end(at + 1, Delimiter::Parenthesis).is_some();
    let free = at == 0 || !(row.is_mark(at - 1, '.') || row.word(at - 1) == Some("fn"));
    if !(called && free && tests.iter().any(|lines| lines.contains(&line)))
        || has_sleep_reason(&file.text, line)
    {
        return None;
    }
    let cure = format!("wait for the condition with a bound, or say why above it: `{MAY_SLEEP}...`");
    Some(Breach::new(&file.path, line, "a bare sleep in a test", cure))
}

/// Whether the line, or the comment lines right above it, give the reason for a sleep.
fn has_sleep_reason(text: &str, line: usize) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let before = lines.get(..line).unwrap_or(&lines);
    let given = |text: &str| {
        text.split_once(MAY_SLEEP)
            .is_some_and(|(_, reason)| reason.trim().len() > 8)
    };
    let mut upwards = before.iter().rev();
    upwards.next().is_some_and(|own| given(own))
        || upwards
            .take_while(|above| above.trim_start().starts_with("//"))
            .any(|above| given(above))
}
