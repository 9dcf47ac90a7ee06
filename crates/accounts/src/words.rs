//! What names and texts may be, and how amounts too large for one row are added up.
//!
//! What it leaves to others: which fields a request has.

use access::Faults;
use model::Money;
use store::Row;

use crate::Error;

/// The most characters of the name of a tenant or an account.
const MOST_NAME: usize = 63;
/// The most characters of a text.
pub(crate) const MOST_TEXT: usize = 255;

/// Judges the fields of a request, all of them.
pub(crate) fn check(judge: impl FnOnce(&mut Faults)) -> Result<(), Error> {
    let mut faults = Faults::default();
    judge(&mut faults);
    if faults.0.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(faults))
    }
}

/// Judges the name of a tenant or an account.
pub(crate) fn name(faults: &mut Faults, field: &'static str, text: &str) {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if text.is_empty() {
        faults.add(field, "is missing", "1 to 63 of A-Z a-z 0-9 _ . -");
    } else if text.chars().count() > MOST_NAME || !text.chars().all(fits) {
        faults.add(field, "is not a name", "1 to 63 of A-Z a-z 0-9 _ . -");
    }
}

/// Judges a text that people read.
pub(crate) fn text(faults: &mut Faults, field: &'static str, text: &str) {
    let length = text.chars().count();
    if length > MOST_TEXT {
        faults.add(
            field,
            format!("has {length} characters"),
            format!("at most {MOST_TEXT} characters"),
        );
    }
    if text.contains('\0') {
        faults.add(field, "holds the character NUL", "a text without it");
    }
}

/// A name that was asked for, as it may be repeated: short, and without what a terminal would obey.
pub(crate) fn shown(name: &str) -> String {
    name.chars()
        .take(MOST_NAME)
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

/// The columns that add up an amount without leaving 64 bits: whole parts and rests.
pub(crate) fn sum_columns(column: &str) -> String {
    format!(
        "CAST(COALESCE(SUM({column} / 1000000000), 0) AS BIGINT), \
         CAST(COALESCE(SUM({column} % 1000000000), 0) AS BIGINT)"
    )
}

/// Reads the two columns that [`sum_columns`] made, from the first of them on.
pub(crate) fn sum(row: &Row, first: usize) -> Result<i128, Error> {
    let (whole, rest): (i64, i64) = (row.get(first)?, row.get(first + 1)?);
    Ok(i128::from(whole) * 1_000_000_000 + i128::from(rest))
}

/// The amount, where it can be kept.
pub(crate) fn money(amount: i128, step: &'static str) -> Result<Money, Error> {
    let amount = i64::try_from(amount).map_err(|_larger| Error::Overflow { step })?;
    Ok(Money::from_ten_thousandths(amount))
}
