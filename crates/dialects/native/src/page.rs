//! The fields that all lists of this protocol share.
//!
//! What it leaves to others: what a page token means (the slices).

use wire::FieldFaults;

/// Items on a page where the caller names no number.
const USUAL: u32 = 100;
/// The most items on a page.
const MOST: u32 = 1000;
/// The most bytes of a page token.
const LONGEST_TOKEN: usize = 64;

/// The wanted number of items.
pub(crate) fn size(faults: &mut FieldFaults, asked: u32) -> u32 {
    faults.check(
        asked <= MOST,
        "page_size",
        &format!("is {asked}"),
        "1 to 1000, or 0 for 100",
    );
    if asked == 0 { USUAL } else { asked }
}

/// The token of an earlier page; none for the first page.
pub(crate) fn token<'a>(faults: &mut FieldFaults, given: &'a str) -> Option<&'a str> {
    faults.check(
        given.len() <= LONGEST_TOKEN && !given.contains(char::is_control),
        "page_token",
        "is none that was given",
        "next_page_token of the page before, or nothing for the first page",
    );
    Some(given).filter(|token| !token.is_empty())
}
