//! The settings of services.
//!
//! What it leaves to others: what they mean (crate `services`), and the listeners that lead to services.

use model::Span;
use services::{Origin, Restart};

use super::reader::Reader;

const MIB: u64 = 1 << 20;

/// Reads the section `services`, and where manifests may be fetched from.
pub(super) fn read(reader: &mut Reader) -> services::Config {
    let default = services::Config::default();
    let memory = reader.whole(
        "services.default_memory_mib",
        default.default_memory_bytes / MIB,
        16..=MIB * MIB,
    );
    let unfinished = reader.whole(
        "services.most_unfinished",
        default.most_unfinished.into(),
        1..=100_000,
    );
    let mut secs = |key, default: Span, range| {
        let default = u64::try_from(default.secs()).unwrap_or(1);
        Span::from_secs(i64::try_from(reader.whole(key, default, range)).unwrap_or(i64::MAX))
    };
    let restart = Restart {
        first: secs("services.restart_first_secs", default.restart.first, 1..=3_600),
        longest: secs(
            "services.restart_longest_secs",
            default.restart.longest,
            1..=86_400,
        ),
        ..default.restart
    };
    let sources = reader.texts(
        "grid.manifest_sources",
        "a list of origins like [\"https://files.example.org\", \"http://192.0.2.7:8000\"]",
        |text| {
            text.parse::<Origin>()
                .map(|origin| origin.to_string())
                .map_err(|fault| format!("`{}` is no origin: {fault}", text.escape_debug()))
        },
    );
    services::Config {
        default_memory_bytes: memory * MIB,
        most_unfinished: u32::try_from(unfinished).unwrap_or(u32::MAX),
        restart,
        manifest_sources: sources.iter().filter_map(|text| text.parse().ok()).collect(),
        ..default
    }
}
