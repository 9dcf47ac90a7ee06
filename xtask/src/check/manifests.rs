//! The rules for Cargo.toml files: shared lints, shared dependencies, and a reason for each dependency.

use std::{collections::BTreeSet, path::Path};

use toml::{Table, Value};

use super::{
    Breach,
    tree::{File, Tree, plain},
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
            breaches.extend(renamed(file, &manifest));
        }
        if manifest.contains_key("package") {
            breaches.extend(member(file, &manifest));
            breaches.extend(unused(tree, file, &manifest));
            breaches.extend(asleep(tree, file, &manifest));
        }
    }
    breaches
}

/// A dependency is called what it is, so that a rule about a crate sees every use of it. Members take theirs from here.
fn renamed(file: &File, manifest: &Table) -> Vec<Breach> {
    let shared = manifest
        .get("workspace")
        .and_then(|shared| shared.get("dependencies"));
    let shared = shared.and_then(Value::as_table).into_iter().flatten();
    let aliases = shared.filter_map(|(name, value)| Some((name, value.get("package")?.as_str()?)));
    aliases
        .filter(|(name, package)| name != package)
        .map(|(name, package)| {
            let line = file.line_where(|line| names(line, name));
            let what = format!("the dependency `{name}` is `{package}` under another name");
            Breach::new(&file.path, line, what, "call it by its own")
        })
        .collect()
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

/// A dependency that no source of the crate names is there for nothing, unless a comment beside it says for what.
fn unused(tree: &Tree, file: &File, manifest: &Table) -> Vec<Breach> {
    let folder = file.path.strip_suffix(ROOT).unwrap_or_default();
    let mut folders = vec![folder.to_owned()];
    for target in manifest
        .get("test")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        // A test may lie outside the crate's folder.
        let path = target.get("path").and_then(Value::as_str).unwrap_or_default();
        let path = plain(Path::new(&format!("{folder}{path}")));
        folders.extend(path.parent().map(|parent| format!("{}/", parent.display())));
    }
    let mine = |path: &str| folders.iter().any(|folder| path.starts_with(folder.as_str()));
    let sources: Vec<&File> = tree
        .files
        .iter()
        .filter(|file| file.is_rust() && mine(&file.path))
        .collect();
    let mut breaches = Vec::new();
    for name in KINDS
        .iter()
        .filter_map(|kind| manifest.get(*kind)?.as_table())
        .flat_map(Table::keys)
    {
        let word = name.replace('-', "_");
        let line = file.line_where(|line| names(line, name));
        let excused = file
            .text
            .lines()
            .nth(line - 1)
            .is_some_and(|line| line.contains(" # "));
        if !excused && !sources.iter().any(|source| has_word(&source.text, &word)) {
            let what = format!("no source names the dependency `{name}`");
            let cure = "take it out, or say beside it what it is for";
            breaches.push(Breach::new(&file.path, line, what, cure));
        }
    }
    breaches
}

/// A library that is not compiled for tests has none among its sources, where nobody would see that they do not run.
fn asleep(tree: &Tree, file: &File, manifest: &Table) -> Vec<Breach> {
    let tested = manifest.get("lib").and_then(|lib| lib.get("test"));
    if tested != Some(&Value::Boolean(false)) {
        return Vec::new();
    }
    let sources = file.path.replace(ROOT, "src/");
    let starts = ["#[test]", "#[tokio::test", "#[cfg(test)]"];
    let is_test = |line: &str| starts.iter().any(|start| line.trim_start().starts_with(start));
    tree.files
        .iter()
        .filter(|source| source.path.starts_with(&sources) && source.text.lines().any(is_test))
        .map(|source| {
            let what = format!("a test that does not run, as {} says", file.path);
            let cure = "move it to tests/it, or take `test = false` out";
            Breach::new(&source.path, source.line_where(is_test), what, cure)
        })
        .collect()
}

/// Whether a text has the word with nothing of a word on either side.
fn has_word(text: &str, word: &str) -> bool {
    let of_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(of_word) && !after.is_some_and(of_word)
    })
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
