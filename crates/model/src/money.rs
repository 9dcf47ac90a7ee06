//! Money: whole ten-thousandths of the zone's unit.
//!
//! What it leaves to others: prices, rounding rules and the ledger (crate `accounts`), wire forms.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount in 1/10000 of the unit; negative for a debt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(0);

    /// Takes ten-thousandths of the unit.
    #[must_use]
    pub const fn from_ten_thousandths(amount: i64) -> Self {
        Self(amount)
    }

    /// Ten-thousandths of the unit.
    #[must_use]
    pub const fn ten_thousandths(self) -> i64 {
        self.0
    }

    /// The sum, or nothing where it would leave the range of 64 bits.
    #[must_use]
    pub const fn checked_add(self, other: Money) -> Option<Money> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Money(sum)),
            None => None,
        }
    }

    /// The difference, or nothing where it would leave the range of 64 bits.
    #[must_use]
    pub const fn checked_sub(self, other: Money) -> Option<Money> {
        match self.0.checked_sub(other.0) {
            Some(rest) => Some(Money(rest)),
            None => None,
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let amount = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:04}", amount / 10_000, amount % 10_000)
    }
}

#[cfg(test)]
mod tests {
    use super::Money;

    #[test]
    fn an_amount_shows_four_decimals_and_one_sign() {
        for (amount, text) in [
            (0, "0.0000"),
            (142, "0.0142"),
            (-142, "-0.0142"),
            (999_858, "99.9858"),
        ] {
            assert_eq!(Money::from_ten_thousandths(amount).to_string(), text);
        }
        assert_eq!(
            Money::from_ten_thousandths(i64::MIN).to_string(),
            "-922337203685477.5808"
        );
    }

    #[test]
    fn a_sum_beyond_the_range_is_no_sum() {
        let most = Money::from_ten_thousandths(i64::MAX);
        assert_eq!(most.checked_add(Money::from_ten_thousandths(1)), None);
        assert_eq!(
            Money::from_ten_thousandths(i64::MIN).checked_sub(Money::from_ten_thousandths(1)),
            None
        );
    }
}
