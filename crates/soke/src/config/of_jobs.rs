//! The settings of jobs: what the zone decides, and what the owner of this machine decides.
//!
//! What it leaves to others: what they mean (crate `jobs`).

use std::time::Duration;

use model::Span;

use super::{Jobs, reader::Reader};

const DAY: u64 = 86_400;
const MIB: u64 = 1 << 20;

/// Reads the section `jobs`.
pub(super) fn read(reader: &mut Reader) -> Jobs {
    let first_uid = reader.whole("jobs.first_uid", 200_000, 1_000..=2_000_000_000);
    Jobs {
        first_uid: small(first_uid),
        zone: zone(reader),
        node: node(reader),
    }
}

fn zone(reader: &mut Reader) -> jobs::Config {
    let default = jobs::Config::default();
    let secs = |number: u64| Span::from_secs(i64::try_from(number).unwrap_or(i64::MAX));
    let most = reader.whole("jobs.most_time_limit_secs", 365 * DAY, 1..=3_650 * DAY);
    let time = reader.whole("jobs.default_time_limit_secs", DAY.min(most), 1..=most);
    let memory = reader.whole(
        "jobs.default_memory_mib",
        default.default_memory_bytes / MIB,
        16..=MIB * MIB,
    );
    let unfinished = reader.whole(
        "jobs.most_unfinished",
        default.most_unfinished.into(),
        1..=1_000_000,
    );
    jobs::Config {
        default_time_limit: secs(time),
        most_time_limit: secs(most),
        default_memory_bytes: memory * MIB,
        most_unfinished: small(unfinished),
        ..default
    }
}

fn node(reader: &mut Reader) -> jobs::agent::Config {
    let name = reader.parsed(
        "jobs.node_name",
        &crate::machine::name(),
        "a name of a to z, 0 to 9 and -, at most 32 characters, beginning with a letter",
        |text| {
            let name = text.parse::<model::Name>().map_err(|fault| fault.to_string())?;
            Ok(name.to_string())
        },
    );
    let default = jobs::agent::Config::new(name);
    let cores = reader.whole("jobs.cores", 0, 0..=65_536);
    let memory = reader.whole("jobs.memory_mib", 0, 0..=MIB * MIB);
    let grace = reader.whole("jobs.grace_secs", default.grace.as_secs(), 0..=600);
    let processes = reader.whole("jobs.processes", default.processes, 1..=4_194_304);
    let open_files = reader.whole("jobs.open_files", default.open_files, 16..=MIB);
    let file = reader.whole("jobs.file_mib", default.file_bytes / MIB, 1..=MIB * MIB);
    let control_groups = reader.flag("jobs.control_groups", default.control_groups);
    jobs::agent::Config {
        cores: Some(small(cores)).filter(|&cores| cores > 0),
        memory_bytes: Some(memory * MIB).filter(|&bytes| bytes > 0),
        grace: Duration::from_secs(grace),
        processes,
        open_files,
        file_bytes: file * MIB,
        control_groups,
        ..default
    }
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
