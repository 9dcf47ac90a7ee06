//! Money: whole ten-thousandths of the zone's unit.
//!
//! What it leaves to others: prices, rounding rules and the ledger (crate `accounts`), wire forms.

use std::{fmt, str::FromStr};

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

/// Says why a text is no sum of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadMoney {
    /// It is not digits with an optional sign before and at most four decimals behind a point.
    Form,
    /// It would leave the range of 64 bits.
    Range,
}

impl fmt::Display for BadMoney {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadMoney::Form => "a sum of money is digits, with at most four decimals behind a point",
            BadMoney::Range => "a sum of money is at most 922337203685477.5807",
        })
    }
}

impl std::error::Error for BadMoney {}

impl FromStr for Money {
    type Err = BadMoney;

    /// Reads a sum as a person writes it: `12`, `12.5`, `-0.0142`. Nothing is rounded: a fifth decimal is refused.
    fn from_str(text: &str) -> Result<Self, BadMoney> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        let (whole, decimals) = match digits.split_once('.') {
            Some((_whole, "")) => return Err(BadMoney::Form),
            Some(parts) => parts,
            None => (digits, ""),
        };
        let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || decimals.len() > 4 || !are_digits(whole) || !are_digits(decimals) {
            return Err(BadMoney::Form);
        }
        let amount: i128 = format!("{whole}{decimals:0<4}")
            .parse()
            .map_err(|_too_long| BadMoney::Range)?;
        let amount = i64::try_from(sign * amount).map_err(|_too_much| BadMoney::Range)?;
        Ok(Self(amount))
    }
}

#[cfg(test)]
mod tests {
    use super::{BadMoney, Money};

    #[test]
    fn a_sum_is_read_as_it_is_written() {
        for (text, amount) in [
            ("0", 0),
            ("-0", 0),
            ("12", 120_000),
            ("12.5", 125_000),
            ("007.0001", 70_001),
            ("-0.0142", -142),
            ("922337203685477.5807", i64::MAX),
            ("-922337203685477.5808", i64::MIN),
        ] {
            let read: Money = text.parse().unwrap();
            assert_eq!(read.ten_thousandths(), amount, "{text}");
        }
        for amount in [0, 1, -1, 142, 999_858, i64::MAX, i64::MIN] {
            let money = Money::from_ten_thousandths(amount);
            assert_eq!(money.to_string().parse(), Ok(money));
        }
    }

    #[test]
    fn what_is_no_exact_sum_is_refused() {
        for text in [
            "", "-", "+1", "--1", ".5", "1.", "1,5", "1e3", " 1", "1 ", "0x1", "1.23456", "1_000", "\u{663}",
            "1.2.3", "1.-2",
        ] {
            assert_eq!(text.parse::<Money>(), Err(BadMoney::Form), "{text:?}");
        }
        for text in ["922337203685477.5808", "-922337203685477.5809", &"9".repeat(60)] {
            assert_eq!(text.parse::<Money>(), Err(BadMoney::Range), "{text:?}");
        }
    }

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
