//! The rules for the graph of crates: layers, `anyhow`, licences, bans and sources, all from `cargo metadata`.

use std::{collections::BTreeSet, process::Command};

use anyhow::{Context as _, Result, ensure};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use super::{
    Breach, exempt,
    layers::{self, Verdict},
    licence, manifests,
    tree::Tree,
};

/// Crates that never enter the graph, and what stands in their place.
const BANNED: &[(&str, &str)] = &[
    (
        "ring",
        "choose the feature that builds on aws-lc-rs: there is one provider of TLS and hashes",
    ),
    ("openssl", "use rustls: nothing links the system's OpenSSL"),
    ("openssl-sys", "use rustls: nothing links the system's OpenSSL"),
    ("native-tls", "use rustls: nothing links the system's OpenSSL"),
    ("serde_yaml", "use a YAML reader that is kept up: this one is not"),
];

/// The platforms that are built; crates of others are not even downloaded.
const PLATFORMS: &[&str] = &["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/// Checks the graph as cargo resolves it from the lock file.
pub(crate) fn check(tree: &Tree) -> Result<Vec<Breach>> {
    let mut options = vec!["--locked".to_owned()];
    for platform in PLATFORMS {
        options.extend(["--filter-platform".to_owned(), (*platform).to_owned()]);
    }
    let asked = MetadataCommand::new()
        .current_dir(&tree.root)
        .other_options(options)
        .exec();
    let metadata = match asked {
        Ok(metadata) => metadata,
        Err(cargo_metadata::Error::CargoMetadata { stderr }) => {
            let what = format!(
                "cargo metadata --locked: {}",
                stderr.split_whitespace().collect::<Vec<_>>().join(" ")
            );
            let cure = "run `cargo metadata` without --locked and commit Cargo.lock";
            return Ok(vec![Breach::new("Cargo.lock", 1, what, cure)]);
        }
        Err(other) => return Err(other.into()),
    };
    let mut breaches = Vec::new();
    for package in metadata.workspace_packages() {
        breaches.extend(edges(tree, &metadata, package));
    }
    let built = in_graph(tree, &metadata)?;
    for package in &built {
        breaches.extend(foreign(tree, &metadata, &built, package));
    }
    Ok(breaches)
}

/// The packages that are really built for some crate, test or build script of the workspace.
///
/// Metadata also names those that only an unused optional feature mentions; `cargo tree` tells them apart.
fn in_graph<'a>(tree: &Tree, metadata: &'a Metadata) -> Result<Vec<&'a Package>> {
    let mut command = Command::new("cargo");
    command.args([
        "tree",
        "--workspace",
        "--locked",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    for platform in PLATFORMS {
        command.args(["--target", platform]);
    }
    let output = command
        .current_dir(&tree.root)
        .output()
        .context("run cargo tree")?;
    ensure!(
        output.status.success(),
        "cargo tree: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).context("read the output of cargo tree")?;
    let lines = text.lines().filter_map(|line| line.split_once(" v"));
    let built: BTreeSet<(&str, &str)> = lines
        .map(|(name, rest)| (name, rest.split(' ').next().unwrap_or(rest)))
        .collect();
    let is_built =
        |package: &Package| built.contains(&(package.name.as_str(), package.version.to_string().as_str()));
    Ok(metadata
        .packages
        .iter()
        .filter(|package| is_built(package))
        .collect())
}

/// What one crate of the workspace leans on.
fn edges(tree: &Tree, metadata: &Metadata, package: &Package) -> Vec<Breach> {
    let manifest = tree.relative(package.manifest_path.as_std_path());
    let name = package.name.as_str();
    let line_of = |wanted: &str| {
        tree.file(&manifest)
            .map_or(1, |file| file.line_where(|line| manifests::names(line, wanted)))
    };
    let mut breaches = Vec::new();
    if !layers::knows(name) {
        let what = format!("the crate `{name}` has no layer");
        breaches.push(Breach::new(
            &manifest,
            line_of("name"),
            what,
            "give it a row in xtask/src/check/layers.rs",
        ));
    }
    for dependency in &package.dependencies {
        let on = dependency.name.as_str();
        let ours = metadata
            .workspace_packages()
            .iter()
            .any(|member| member.name == on && dependency.path.is_some());
        let in_tests = dependency.kind == DependencyKind::Development;
        if ours
            && !(in_tests && layers::is_for_tests(name, on))
            && let Verdict::Refused(cure) = layers::judge(name, on)
        {
            breaches.push(Breach::new(
                &manifest,
                line_of(on),
                format!("`{name}` leans on `{on}`"),
                cure,
            ));
        }
        if on == "anyhow" && !in_tests && !exempt::TOOLS.contains(&name) {
            let cure = "give the crate one `Error` with thiserror: a library's errors have kinds";
            breaches.push(Breach::new(
                &manifest,
                line_of(on),
                format!("anyhow in the library `{name}`"),
                cure,
            ));
        }
    }
    breaches
}

/// Where a package of the graph comes from, its licence, and whether it is banned.
fn foreign(tree: &Tree, metadata: &Metadata, built: &[&Package], package: &Package) -> Vec<Breach> {
    let name = package.name.as_str();
    let line = tree.file("Cargo.lock").map_or(1, |file| {
        file.line_where(|line| line == format!("name = \"{name}\""))
    });
    let breach = |what: String, cure: &str| Breach::new("Cargo.lock", line, what, cure);
    let mut breaches = Vec::new();
    let inside = package.manifest_path.as_std_path().starts_with(&tree.root);
    match &package.source {
        Some(source) if !source.is_crates_io() => {
            let kind = source.repr.split(['+', ':']).next().unwrap_or("unknown");
            let what = format!("`{name}` comes from a {kind} source");
            breaches.push(breach(what, "take a published version from the registry"));
        }
        None if !inside => {
            breaches.push(breach(
                format!("`{name}` lies outside the repository"),
                "bring it in, or publish it",
            ));
        }
        _ => {}
    }
    if let Some((_, cure)) = BANNED.iter().find(|(banned, _)| *banned == name) {
        let what = format!(
            "`{name}` is banned and in the graph, through {}",
            users(metadata, built, package).join(", ")
        );
        breaches.push(breach(what, cure));
    }
    let licence = package.license.as_deref().unwrap_or("");
    if !licence::is_welcome(licence) {
        let what = format!("`{name}` has the licence `{licence}`");
        breaches.push(breach(
            what,
            "leave it out, or add the licence with its reason to xtask/src/check/licence.rs",
        ));
    }
    breaches
}

/// The names of the built packages that depend on this one.
fn users(metadata: &Metadata, built: &[&Package], package: &Package) -> Vec<String> {
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let ids: BTreeSet<_> = nodes
        .filter(|node| node.dependencies.contains(&package.id))
        .map(|node| &node.id)
        .collect();
    built
        .iter()
        .filter(|found| ids.contains(&found.id))
        .map(|user| user.name.to_string())
        .collect()
}
