//! What the JSON of several commands has in common.
//!
//! What it leaves to others: which fields an answer has (the commands).

use model::Money;
use wire::soke::v1;

/// An instant as text, in UTC; nothing where there is none.
pub(crate) fn instant(at: Option<&prost_types::Timestamp>) -> Option<String> {
    let at = at?;
    let at = jiff::Timestamp::new(at.seconds, at.nanos).ok()?;
    Some(at.to_string())
}

/// A sum of money as exact text, such as `12.3400`: a number of JSON would lose digits in many readers.
pub(crate) fn sum(money: Option<&v1::Money>) -> String {
    let amount = money.map_or(0, |money| money.ten_thousandths);
    Money::from_ten_thousandths(amount).to_string()
}

/// A sum of money on the wire.
pub(crate) const fn money(amount: Money) -> v1::Money {
    v1::Money {
        ten_thousandths: amount.ten_thousandths(),
    }
}
