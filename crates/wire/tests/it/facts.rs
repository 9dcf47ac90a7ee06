//! The descriptor set says about the foreign packages exactly what `tests/facts/*.json` says: nothing else,
//! nothing more, nothing less.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use prost_types::{FileDescriptorSet, FileOptions};
use serde_json::Value;

use crate::lines;

/// One file of `tests/facts`.
pub(crate) struct Table {
    file: String,
    packages: BTreeSet<String>,
    options: Vec<String>,
    lines: BTreeSet<String>,
}

/// Every fact table, in the order of their names.
pub(crate) fn tables() -> Vec<Table> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/facts");
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths.iter().map(|path| table(path)).collect()
}

fn table(path: &Path) -> Table {
    let json: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let packages: BTreeSet<String> = strings(&json["packages"]).into_iter().collect();
    let mut lines: BTreeSet<String> = packages
        .iter()
        .map(|package| format!("package {package:?}"))
        .collect();
    for (section, head, part) in [
        ("services", "service", "rpc"),
        ("enums", "enum", "value"),
        ("messages", "message", "field"),
    ] {
        for (name, parts) in json[section].as_object().unwrap() {
            lines.insert(format!("{head} {name}"));
            let joint = if part == "rpc" { "." } else { ": " };
            lines.extend(
                strings(parts)
                    .into_iter()
                    .map(|text| format!("{part} {name}{joint}{text}")),
            );
        }
    }
    let options = json.get("options").map(strings).unwrap_or_default();
    Table {
        file: path.file_name().unwrap().to_string_lossy().into_owned(),
        packages,
        options,
        lines,
    }
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

/// Every difference between the descriptor set and the tables, one line each; empty when they agree.
pub(crate) fn differences(set: &FileDescriptorSet, tables: &[Table]) -> Vec<String> {
    let mut found = Vec::new();
    for table in tables {
        let ours = lines::of(set, |package| table.packages.contains(package));
        let file = &table.file;
        found.extend(
            table
                .lines
                .difference(&ours)
                .map(|line| format!("{file}: not in proto/: {line}")),
        );
        found.extend(
            ours.difference(&table.lines)
                .map(|line| format!("{file}: only in proto/: {line}")),
        );
        if !table.options.is_empty() {
            for of in set.file.iter().filter(|of| table.packages.contains(of.package())) {
                let ours = options(of.options.as_ref());
                if ours != table.options {
                    found.push(format!("{file}: options of {} are {ours:?}", of.name()));
                }
            }
        }
    }
    let known: BTreeSet<&str> = tables
        .iter()
        .flat_map(|table| &table.packages)
        .map(String::as_str)
        .collect();
    for file in &set.file {
        let package = file.package();
        let ours = package == "soke" || package.starts_with("soke.");
        if !ours && !lines::is_protobufs_own(package) && !known.contains(package) {
            found.push(format!("no facts for package {package:?} of {}", file.name()));
        }
    }
    found
}

/// A file's options for the languages that the gRPC document names.
fn options(options: Option<&FileOptions>) -> Vec<String> {
    let Some(options) = options else { return Vec::new() };
    let mut list = Vec::new();
    if let Some(value) = options.java_multiple_files {
        list.push(format!("java_multiple_files = {value}"));
    }
    for (name, value) in [
        ("java_outer_classname", &options.java_outer_classname),
        ("java_package", &options.java_package),
        ("objc_class_prefix", &options.objc_class_prefix),
    ] {
        if let Some(value) = value {
            list.push(format!("{name} = {value}"));
        }
    }
    list
}

#[test]
fn the_foreign_packages_are_exactly_the_facts() {
    let found = differences(&lines::built(), &tables());
    assert!(
        found.is_empty(),
        "{} differences:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn the_tables_hold_all_that_the_contracts_count() {
    let mut counts: BTreeMap<String, [usize; 6]> = BTreeMap::new();
    for table in tables() {
        let count = |head: &str| table.lines.iter().filter(|line| line.starts_with(head)).count();
        let deprecated = table
            .lines
            .iter()
            .filter(|line| line.ends_with(": deprecated"))
            .count();
        let row = [
            count("service "),
            count("rpc "),
            count("message "),
            count("field ") - deprecated,
            count("enum "),
            count("value "),
        ];
        counts.insert(table.file, row);
    }
    let wanted = [
        ("compute.json", [1, 2, 4, 8, 0, 0]),
        ("grpc_testing.json", [2, 9, 12, 38, 2, 4]),
        ("hello.json", [1, 4, 2, 2, 0, 0]),
        ("helloworld.json", [1, 1, 2, 2, 0, 0]),
        ("pb.json", [2, 9, 14, 36, 0, 0]),
        ("scow.json", [21, 152, 519, 1517, 27, 85]),
    ];
    assert_eq!(counts, wanted.map(|(file, row)| (file.to_owned(), row)).into());
}

#[test]
fn the_descriptor_set_is_whole_in_itself() {
    let pool = prost_reflect::DescriptorPool::decode(wire::DESCRIPTORS).unwrap();
    let service = pool.get_service_by_name("soke.v1.SessionService").unwrap();
    assert_eq!(service.methods().next().unwrap().name(), "CreateChallenge");
    assert!(pool.get_message_by_name("google.protobuf.Timestamp").is_some());
}
