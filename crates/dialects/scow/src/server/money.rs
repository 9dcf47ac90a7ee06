//! `scow.common.Money` to and from money.
//!
//! The message has more spellings than there are amounts: a zero below zero, ten thousand ten-thousandths, and numbers
//! beyond what a ledger holds. Those are refused, never read as something else. What it leaves to others: which field
//! it is (`fields`), and what may be paid (crate `accounts`).

use model::Money;
use wire::scow::common;

/// Ten-thousandths of one.
const WHOLE: u64 = 10_000;

/// What is wrong with an amount, and what would be right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) want: &'static str,
}

/// Reads an amount: `(yuan + decimal_place / 10000)`, negated where it is not positive (contract of the management side, 2.1).
pub(super) fn read(money: &common::Money) -> Result<Money, Fault> {
    if u64::from(money.decimal_place) >= WHOLE {
        return Err(Fault {
            what: format!("has decimal_place {}", money.decimal_place),
            want: "ten-thousandths from 0 to 9999",
        });
    }
    if !money.positive && money.yuan == 0 && money.decimal_place == 0 {
        return Err(Fault {
            what: "is zero with positive = false".to_owned(),
            want: "zero with positive = true",
        });
    }
    let size = i128::from(money.yuan) * i128::from(WHOLE) + i128::from(money.decimal_place);
    let amount = i64::try_from(if money.positive { size } else { -size });
    let amount = amount.ok().ok_or_else(|| Fault {
        what: format!("has yuan {}", money.yuan),
        want: "at most 922337203685477.5807 on either side of zero",
    })?;
    Ok(Money::from_ten_thousandths(amount))
}

/// Writes an amount; zero is positive.
pub(super) fn written(money: Money) -> common::Money {
    let (amount, size) = (money.ten_thousandths(), money.ten_thousandths().unsigned_abs());
    common::Money {
        positive: amount >= 0,
        yuan: size / WHOLE,
        decimal_place: u32::try_from(size % WHOLE).expect("a rest below 10,000 fits"),
    }
}

#[cfg(test)]
mod tests;
