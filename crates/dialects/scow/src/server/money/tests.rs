//! Amounts over the wire: what is kept, and what is refused (promise W13).

use model::Money;
use wire::scow::common;

use super::{read, written};

fn message(positive: bool, yuan: u64, decimal_place: u32) -> common::Money {
    common::Money {
        positive,
        yuan,
        decimal_place,
    }
}

#[test]
fn an_amount_is_the_same_both_ways() {
    for (positive, yuan, decimal_place, amount) in [
        (true, 0, 0, 0),
        (true, 0, 1, 1),
        (false, 0, 1, -1),
        (true, 225, 7_300, 2_257_300),
        (false, 12, 9_999, -129_999),
        (true, 922_337_203_685_477, 5_807, i64::MAX),
        (false, 922_337_203_685_477, 5_808, i64::MIN),
    ] {
        let money = Money::from_ten_thousandths(amount);
        let message = message(positive, yuan, decimal_place);
        assert_eq!(read(&message), Ok(money));
        assert_eq!(written(money), message);
    }
}

#[test]
fn w13_an_amount_that_is_none_is_refused_and_says_why() {
    for (positive, yuan, decimal_place, what) in [
        (false, 0, 0, "is zero with positive = false"),
        (true, 1, 10_000, "has decimal_place 10000"),
        (false, 1, u32::MAX, "has decimal_place 4294967295"),
        (true, u64::MAX, 0, "has yuan 18446744073709551615"),
        (false, u64::MAX, 9_999, "has yuan 18446744073709551615"),
        (true, 922_337_203_685_477, 5_808, "has yuan 922337203685477"),
        (false, 922_337_203_685_477, 5_809, "has yuan 922337203685477"),
    ] {
        let fault = read(&message(positive, yuan, decimal_place)).expect_err("refused");
        assert_eq!(fault.what, what);
    }
}
