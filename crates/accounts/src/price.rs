//! What a job costs: SCOW's formula in three steps, exact in integers.
//!
//! The amount is the larger of what the strategy compares, times the hours that the job ran, cut off at so many
//! decimals; the price is the unit price times that amount, rounded half up at as many decimals; and whatever ran at
//! all at a price above zero costs at least the least charge. It reads no rows and no clock.
//! What it leaves to others: which price a job has (module `item`), and how many seconds are billed (`settle`).

use std::str::FromStr;

use model::Money;

/// What is counted of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Amount {
    /// Its GPUs.
    Gpu,
    /// Its cores.
    CpusAlloc,
    /// Its GPUs, or as many as its cores are worth in its partition, whatever is more.
    MaxGpuCpus,
    /// Its cores, or as many as its memory is worth in its partition, whatever is more.
    MaxCpusMem,
}

impl Amount {
    /// Every one once.
    pub const ALL: [Amount; 4] = [
        Amount::Gpu,
        Amount::CpusAlloc,
        Amount::MaxGpuCpus,
        Amount::MaxCpusMem,
    ];

    /// Its word in SCOW's calls and in the store.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Amount::Gpu => "gpu",
            Amount::CpusAlloc => "cpusAlloc",
            Amount::MaxGpuCpus => "max-gpu-cpusAlloc",
            Amount::MaxCpusMem => "max-cpusAlloc-mem",
        }
    }
}

/// Says that a text names no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownAmount;

impl FromStr for Amount {
    type Err = UnknownAmount;

    fn from_str(text: &str) -> Result<Self, UnknownAmount> {
        let found = Amount::ALL.into_iter().find(|amount| amount.word() == text);
        found.ok_or(UnknownAmount)
    }
}

/// A price and how it is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// What is counted.
    pub amount: Amount,
    /// The price of one of it for an hour.
    pub unit_price: Money,
    /// How many decimals the amount and the price keep, 0 to 4.
    pub decimals: u8,
    /// The least that a job costs that ran at all at a price above zero.
    pub min_charge: Money,
}

/// What a job had, and what its partition has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// The job's cores.
    pub cpus: u64,
    /// The job's GPUs.
    pub gpus: u64,
    /// The memory it asked for, in MB.
    pub mem_req_mb: u64,
    /// The seconds it ran.
    pub elapsed_secs: u64,
    /// Cores of the partition.
    pub partition_cores: u64,
    /// GPUs of the partition.
    pub partition_gpus: u64,
    /// Memory of the partition in MB.
    pub partition_mem_mb: u64,
}

/// Says that a price is larger than 64 bits of ten-thousandths can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow;

const HOUR_SECS: u128 = 3600;
/// Decimals of [`Money`].
const MONEY_DECIMALS: u8 = 4;

/// What a job of this usage costs.
///
/// # Errors
/// [`Overflow`]: more than can be kept.
pub fn price(rule: &Rule, usage: &Usage) -> Result<Money, Overflow> {
    let unit = u128::try_from(rule.unit_price.ten_thousandths()).unwrap_or(0);
    if unit == 0 || usage.elapsed_secs == 0 {
        return Ok(Money::ZERO);
    }
    let decimals = rule.decimals.min(MONEY_DECIMALS);
    let scale = 10_u128.pow(u32::from(decimals));
    // The amount in units of its last decimal, cut off.
    let hours = counted(rule.amount, usage)
        .checked_mul(u128::from(usage.elapsed_secs))
        .and_then(|seconds| seconds.checked_mul(scale))
        .ok_or(Overflow)?
        / HOUR_SECS;
    // The product has the decimals of both.
    let product = hours.checked_mul(unit).ok_or(Overflow)?;
    let min_charge = i128::from(rule.min_charge.ten_thousandths());
    let is_above = i128::try_from(product).map_or(true, |product| {
        product > min_charge.saturating_mul(i128::try_from(scale).unwrap_or(i128::MAX))
    });
    if !is_above {
        return Ok(rule.min_charge);
    }
    let one = 10_u128.pow(u32::from(MONEY_DECIMALS));
    let rounded = product.checked_add(one / 2).ok_or(Overflow)? / one;
    let missing = 10_u128.pow(u32::from(MONEY_DECIMALS - decimals));
    let amount = rounded.checked_mul(missing).ok_or(Overflow)?;
    let amount = i64::try_from(amount).map_err(|_larger| Overflow)?;
    Ok(Money::from_ten_thousandths(amount))
}

/// What is counted, as a whole number. A share of nothing counts as none.
fn counted(amount: Amount, usage: &Usage) -> u128 {
    let (cpus, gpus) = (u128::from(usage.cpus), u128::from(usage.gpus));
    // A product of two numbers of 64 bits fits into 128.
    let worth = |of: u64, times: u64, by: u64| {
        if by == 0 || times == 0 {
            0
        } else {
            (u128::from(of) * u128::from(times)).div_ceil(u128::from(by))
        }
    };
    match amount {
        Amount::Gpu => gpus,
        Amount::CpusAlloc => cpus,
        Amount::MaxGpuCpus => gpus.max(worth(usage.cpus, usage.partition_gpus, usage.partition_cores)),
        Amount::MaxCpusMem => cpus.max(worth(
            usage.mem_req_mb,
            usage.partition_cores,
            usage.partition_mem_mb,
        )),
    }
}

#[cfg(test)]
mod tests;
