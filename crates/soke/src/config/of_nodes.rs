//! The settings of the zone's machines.
//!
//! What it leaves to others: what they mean (crate `nodes`).

use model::Span;
use nodes::{Config, Pool};

use super::reader::Reader;

const DAY: u64 = 86_400;

/// Reads the section `nodes`.
pub(super) fn read(reader: &mut Reader) -> Config {
    let default = Config::default();
    let pool = reader.parsed(
        "nodes.pool",
        &default.pool.to_string(),
        "a network of 8 to 29 bits like `10.77.0.0/16`",
        |text| text.parse::<Pool>().map_err(|fault| fault.to_string()),
    );
    let mut secs = |key, default: Span, range| {
        let default = u64::try_from(default.secs()).unwrap_or_default();
        Span::from_secs(i64::try_from(reader.whole(key, default, range)).unwrap_or(i64::MAX))
    };
    let quarantine = secs("nodes.address_rest_secs", default.quarantine, 0..=365 * DAY);
    let join_window = secs("nodes.join_window_secs", default.join_window, 10..=DAY);
    let silence = secs("nodes.silence_secs", default.silence, 11..=DAY);
    let refusals = reader.whole(
        "nodes.refusals_per_minute",
        default.refusals_per_minute.into(),
        1..=100_000,
    );
    Config {
        pool,
        quarantine,
        join_window,
        silence,
        refusals_per_minute: u32::try_from(refusals).unwrap_or(1),
    }
}
