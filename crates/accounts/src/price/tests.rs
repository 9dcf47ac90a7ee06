//! The formula at the values that SCOW's own tests show, and at its edges.

use model::Money;

use super::{Amount, Overflow, Rule, Usage, price};

fn money(ten_thousandths: i64) -> Money {
    Money::from_ten_thousandths(ten_thousandths)
}

fn rule(unit: i64, decimals: u8, min_charge: i64) -> Rule {
    Rule {
        amount: Amount::CpusAlloc,
        unit_price: money(unit),
        decimals,
        min_charge: money(min_charge),
    }
}

fn cores(cpus: u64, elapsed_secs: u64) -> Usage {
    Usage {
        cpus,
        elapsed_secs,
        ..Usage::default()
    }
}

#[test]
fn the_values_that_the_contract_verified_come_out() {
    let usage = cores(96, 8465);
    assert_eq!(price(&rule(10_000, 2, 100), &usage), Ok(money(2_257_300)));
    assert_eq!(price(&rule(10_000, 3, 0), &usage), Ok(money(2_257_330)));
    assert_eq!(price(&rule(400, 3, 0), &usage), Ok(money(90_290)));
}

#[test]
fn whatever_ran_at_a_price_costs_the_least_charge_and_nothing_else_does() {
    let rule_of_one = rule(10_000, 2, 100);
    assert_eq!(price(&rule_of_one, &cores(0, 10)), Ok(money(100)));
    assert_eq!(price(&rule_of_one, &cores(1, 1)), Ok(money(100)));
    assert_eq!(price(&rule_of_one, &cores(96, 0)), Ok(Money::ZERO));
    assert_eq!(price(&rule(0, 2, 100), &cores(96, 8465)), Ok(Money::ZERO));
}

#[test]
fn an_amount_is_the_larger_share_rounded_up() {
    let mut rule = rule(10_000, 2, 100);
    rule.amount = Amount::MaxGpuCpus;
    // 5 of 8 cores are worth 2.5 of 4 GPUs: three.
    let mut usage = Usage {
        cpus: 5,
        gpus: 1,
        mem_req_mb: 9_000,
        elapsed_secs: 3600,
        partition_cores: 8,
        partition_gpus: 4,
        partition_mem_mb: 16_000,
    };
    assert_eq!(price(&rule, &usage), Ok(money(30_000)));
    // 9,000 of 16,000 MB are worth 4.5 of 8 cores: five, as many as the job has.
    rule.amount = Amount::MaxCpusMem;
    usage.cpus = 2;
    assert_eq!(price(&rule, &usage), Ok(money(50_000)));
    rule.amount = Amount::Gpu;
    assert_eq!(price(&rule, &usage), Ok(money(10_000)));
    rule.amount = Amount::MaxGpuCpus;
    usage.partition_gpus = 0;
    assert_eq!(price(&rule, &usage), Ok(money(10_000)));
}

#[test]
fn a14_a_price_beyond_64_bits_is_no_price() {
    assert_eq!(
        price(&rule(i64::MAX, 4, 0), &cores(u64::MAX, u64::MAX)),
        Err(Overflow)
    );
    assert_eq!(price(&rule(i64::MAX, 0, 0), &cores(2, 3600)), Err(Overflow));
    assert_eq!(price(&rule(i64::MAX, 4, 0), &cores(1, 3600)), Ok(money(i64::MAX)));
    // 2^63 of a unit: one ten-thousandth too many.
    assert_eq!(price(&rule(1, 0, 0), &cores(1 << 63, 3600)), Err(Overflow));
}
