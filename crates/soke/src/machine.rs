//! What this machine is called and what it has, as the system says.
//!
//! What it leaves to others: what of it is told to whom.

use std::thread::available_parallelism;

use agent::node::Machine;

/// The longest name of a node.
const MOST_NAME: usize = 32;

/// A name for this machine as a node, made of its host name: up to the first dot, in lower case, of a to z, 0 to 9 and
/// `-`, beginning with a letter.
pub(crate) fn name() -> String {
    node_name(&rustix::system::uname().nodename().to_string_lossy())
}

fn node_name(host: &str) -> String {
    let first = host.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let fits = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-';
    let mut name: String = first.chars().filter(fits).collect();
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        name = format!("node{}{name}", if name.is_empty() { "" } else { "-" });
    }
    name.truncate(MOST_NAME);
    name.trim_end_matches('-').to_owned()
}

/// What is told of this machine over its link.
pub(crate) fn facts() -> Machine {
    let info = rustix::system::sysinfo();
    let memory_bytes = u64::from(info.mem_unit) * info.totalram;
    let cores = available_parallelism().map_or(1, usize::from);
    Machine {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
        memory_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::node_name;

    #[test]
    fn every_host_name_gives_a_name_for_a_node() {
        let long = "a".repeat(60);
        for (host, name) in [
            ("Far.example.org", "far"),
            ("3f2a1b", "node-3f2a1b"),
            ("(none)", "none"),
            ("", "node"),
            ("web_1", "web1"),
            (long.as_str(), &long[..32]),
        ] {
            assert_eq!(node_name(host), name, "{host}");
            assert!(node_name(host).parse::<model::Name>().is_ok(), "{host}");
        }
    }
}
