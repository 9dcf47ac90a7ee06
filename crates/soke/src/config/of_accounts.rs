//! The settings of money: how it is rounded, and whether jobs need an account.
//!
//! What it leaves to others: what they mean (crate `accounts`).

use model::Money;

use super::reader::Reader;

/// Reads the section `accounts`.
pub(super) fn read(reader: &mut Reader, cluster: &str) -> accounts::Config {
    let usual = accounts::Config::default();
    let text = |text: &str| match text.chars().count() {
        1..=255 => Ok(text.to_owned()),
        length => Err(format!("it has {length} characters")),
    };
    accounts::Config {
        decimals: u8::try_from(reader.whole("accounts.decimals", usual.decimals.into(), 0..=4))
            .expect("the range is small"),
        min_charge: reader.parsed(
            "accounts.min_charge",
            "0.01",
            "an amount from 0 with at most four decimals, in quotes",
            |text| match text.parse::<Money>() {
                Ok(amount) if amount >= Money::ZERO => Ok(amount),
                Ok(_) => Err(format!("{text} is below zero")),
                Err(fault) => Err(fault.to_string()),
            },
        ),
        required: reader.flag("accounts.required", usual.required),
        job_charge_type: reader.parsed(
            "accounts.job_charge_type",
            &usual.job_charge_type,
            "1 to 255 characters",
            text,
        ),
        job_charge_comment: reader.parsed(
            "accounts.job_charge_comment",
            &usual.job_charge_comment,
            "1 to 255 characters",
            text,
        ),
        cluster: cluster.to_owned(),
    }
}
