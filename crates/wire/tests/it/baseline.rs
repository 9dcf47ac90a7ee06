//! Nothing that the last release said on the wire is gone or changed: its descriptor set, kept in
//! `proto/baseline.binpb`, is a part of what is built now.
//!
//! Additions are free. Everything else breaks a client: a removed, renumbered, renamed or retyped field, a
//! moved oneof, a removed or changed method, enum value, message, service or package.

use prost::Message as _;
use prost_types::FileDescriptorSet;

use crate::lines;

const BASELINE: &[u8] = include_bytes!("../../../../proto/baseline.binpb");

/// Every line of `before` that does not stand in `now`. Marking a thing as deprecated changes no line.
pub(crate) fn breaks(before: &FileDescriptorSet, now: &FileDescriptorSet) -> Vec<String> {
    let stands = |set: &FileDescriptorSet| -> std::collections::BTreeSet<String> {
        lines::of(set, |package| !lines::is_protobufs_own(package))
            .into_iter()
            .filter(|line| !line.ends_with(": deprecated"))
            .map(|line| line.trim_end_matches(" deprecated").to_owned())
            .collect()
    };
    stands(before).difference(&stands(now)).cloned().collect()
}

#[test]
fn nothing_of_the_last_release_is_gone_or_changed() {
    let before = FileDescriptorSet::decode(BASELINE).unwrap();
    let broken = breaks(&before, &lines::built());
    assert!(
        broken.is_empty(),
        "clients of the last release lose {} things (docs/decisions, \"the wire\", says when that is right):\n{}",
        broken.len(),
        broken.join("\n")
    );
}

/// The version of the last release; before the first, that of SCOW's packages, which ours began from.
const LAST: wire::Version = wire::Version::read(include_str!("../../../../proto/baseline.version"));

#[test]
fn a_change_of_the_wire_moves_the_version_and_nothing_moves_it_back() {
    let before = FileDescriptorSet::decode(BASELINE).unwrap();
    let all = |set: &FileDescriptorSet| lines::of(set, |package| !lines::is_protobufs_own(package));
    let (was, is) = (all(&before), all(&lines::built()));
    let now = wire::VERSION;
    let added = was != is;
    assert!(
        now >= LAST && (!added || (now.major, now.minor) > (LAST.major, LAST.minor)),
        "proto/VERSION is {now:?}, the last release's was {LAST:?}, and the wire {} since: MINOR moves with it",
        if added { "has changed" } else { "is the same" }
    );
}

#[test]
fn a_version_is_three_numbers() {
    let read = wire::Version::read;
    assert_eq!((read("1.0.14\n").major, read("1.0.14\n").patch), (1, 14));
    assert!(read("1.10.0") > read("1.9.99"));
    for bad in [
        "",
        "1",
        "1.2",
        "1.2.",
        "1.2.3.4",
        ".1.2",
        "1.2.3-x",
        "1..3",
        "1234567.0.0",
    ] {
        assert!(std::panic::catch_unwind(|| read(bad)).is_err(), "{bad}");
    }
}

#[test]
fn the_baseline_holds_every_package_of_ours() {
    let before = FileDescriptorSet::decode(BASELINE).unwrap();
    for package in ["soke.v1", "soke.agent.v1", "scow.portal", "pb", "compute", ""] {
        assert!(
            before.file.iter().any(|file| file.package() == package),
            "{package:?} is missing"
        );
    }
}
