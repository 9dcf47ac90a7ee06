//! The price of random jobs, worked out by another program in another language: equal to the last digit.

use std::{path::Path, process::Command};

use accounts::price::{Overflow, Rule, Usage, price};

use crate::bed::{raw, rounds};

fn asked(line: &str) -> (Rule, Usage, Result<i64, Overflow>) {
    let words: Vec<&str> = line.split(' ').collect();
    let [strategy, unit, decimals, least, numbers @ .., told] = words.as_slice() else {
        panic!("{line}");
    };
    let rule = Rule {
        amount: strategy.parse().expect("a strategy"),
        unit_price: raw(unit.parse().expect("a price")),
        decimals: decimals.parse().expect("decimals"),
        min_charge: raw(least.parse().expect("an amount")),
    };
    let numbers: Vec<u64> = numbers
        .iter()
        .map(|word| word.parse().expect("a number"))
        .collect();
    let [
        cpus,
        gpus,
        mem_req_mb,
        elapsed_secs,
        partition_cores,
        partition_gpus,
        partition_mem_mb,
    ] = numbers.try_into().expect("seven numbers");
    let usage = Usage {
        cpus,
        gpus,
        mem_req_mb,
        elapsed_secs,
        partition_cores,
        partition_gpus,
        partition_mem_mb,
    };
    (rule, usage, told.parse().map_err(|_word| Overflow))
}

#[test]
fn random_jobs_cost_what_the_oracle_says() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/oracle/price.py");
    let count = rounds(10_000, 1_000_000);
    let seed: u32 = rand::random();
    let ran = Command::new("python3")
        .arg(program)
        .args([seed.to_string(), count.to_string()])
        .output()
        .expect("python3 runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let told = String::from_utf8(ran.stdout).expect("text");
    let (mut compared, mut overflows) = (0, 0);
    for line in told.lines() {
        let (rule, usage, wanted) = asked(line);
        let found = price(&rule, &usage).map(model::Money::ten_thousandths);
        assert_eq!(found, wanted, "seed {seed}: {line}");
        compared += 1;
        overflows += u32::from(wanted.is_err());
    }
    assert_eq!(compared, count);
    assert!(overflows > 0, "the jobs that nobody has are among them");
}
