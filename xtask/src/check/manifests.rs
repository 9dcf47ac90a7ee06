//! The rules for Cargo.toml files: shared lints, shared dependencies, and a reason for each dependency.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::{
    Breach,
    tree::{File, Tree},
};

const ROOT: &str = "Cargo.toml";

/// The tables of a member's manifest that name dependencies.
const KINDS: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

/// Checks the root manifest and that of each member.
pub(crate) fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in tree
        .files
        .iter()
        .filter(|file| file.path.rsplit('/').next() == Some(ROOT))
    {
        let Ok(manifest) = file.text.parse::<Table>() else {
            breaches.push(Breach::new(
                &file.path,
                1,
                "the manifest is not TOML",
                "run `cargo metadata`",
            ));
            continue;
        };
        if file.path == ROOT {
            breaches.extend(reasons(file));
        }
        if manifest.contains_key("package") {
            breaches.extend(member(file, &manifest));
        }
    }
    breaches
}

/// A member takes its lints and its dependencies from the workspace.
fn member(file: &File, manifest: &Table) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    if lints != Some(&Value::Boolean(true)) {
        let cure = "write `[lints]` and `workspace = true`";
        breaches.push(Breach::new(
            &file.path,
            1,
            "the crate is outside the workspace's lints",
            cure,
        ));
    }
    for kind in KINDS {
        let Some(Value::Table(dependencies)) = manifest.get(*kind) else {
            continue;
        };
        for (name, value) in dependencies {
            if value.get("workspace") != Some(&Value::Boolean(true)) {
                let line = file.line_where(|line| names(line, name));
                let what = format!("`{name}` has a version of its own");
                let cure = format!(
                    "list it in the root's [workspace.dependencies] and write `{name}.workspace = true`"
                );
                breaches.push(Breach::new(&file.path, line, what, cure));
            }
        }
    }
    breaches
}

/// The names under which the crate that a file belongs to knows its dependencies.
pub(crate) fn dependencies(tree: &Tree, path: &str) -> BTreeSet<String> {
    let mut folder = path;
    while let Some((above, _)) = folder.rsplit_once('/') {
        folder = above;
        let Some(file) = tree.file(&format!("{folder}/{ROOT}")) else {
            continue;
        };
        let manifest = file.text.parse::<Table>().unwrap_or_default();
        let tables = KINDS.iter().filter_map(|kind| manifest.get(*kind)?.as_table());
        return tables
            .flat_map(Table::keys)
            .map(|name| name.replace('-', "_"))
            .collect();
    }
    BTreeSet::new()
}

/// Whether a line of a manifest declares this dependency.
pub(crate) fn names(line: &str, name: &str) -> bool {
    line.trim_start()
        .strip_prefix(name)
        .is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
}

/// Each dependency of the root manifest stands below or beside a comment that says why it is there.
///
/// A comment holds for the lines below it up to the next empty line. The workspace's own crates need none.
fn reasons(file: &File) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut section = "";
    let mut reason = false;
    for (index, line) in file.text.lines().map(str::trim).enumerate() {
        if line.starts_with('[') {
            section = line;
            reason = false;
        } else if line.is_empty() {
            reason = false;
        } else if line.starts_with('#') {
            reason = true;
        } else if section == "[workspace.dependencies]"
            && let Some((name, value)) = line.split_once('=')
            && !(reason || value.contains("path =") || value.contains(" # "))
        {
            let what = format!("nothing says why `{}` is here", name.trim());
            let cure = "put it below a comment with the reason";
            breaches.push(Breach::new(&file.path, index + 1, what, cure));
        }
    }
    breaches
}
