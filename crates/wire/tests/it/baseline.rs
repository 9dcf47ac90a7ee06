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
