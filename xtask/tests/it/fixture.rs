//! A small workspace in a temporary folder that keeps every rule, until a test writes one breach into it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

/// The crates of the small workspace and what each leans on.
const CRATES: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("tasks", &["model"]),
    ("store", &["model", "tasks"]),
    ("access", &["model", "store"]),
    ("files", &["model", "access"]),
    ("jobs", &["model", "access"]),
];

/// A room's only file. It names every dependency that a test may add, so that none is there for nothing.
const NAMES_ALL: &str =
    "//! A room: model tasks store access files jobs wire anyhow ring fetched sideways testbed.\n";

/// The workspace. It goes away with the value.
pub(crate) struct Fixture {
    folder: TempDir,
}

impl Fixture {
    /// Makes the workspace with the lints, clippy and rustfmt settings of the real one.
    pub(crate) fn new() -> Result<Self> {
        let fixture = Self {
            folder: tempfile::tempdir()?,
        };
        let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let manifest = std::fs::read_to_string(real.join("Cargo.toml"))?;
        let lints = manifest
            .find("[workspace.lints.rust]")
            .context("the workspace has lints")?;
        let end = manifest
            .find("[profile.release]")
            .context("the workspace has profiles")?;
        let lints = manifest.get(lints..end).context("lints come before profiles")?;
        let mut root = String::from(
            "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n\n[workspace.dependencies]\n",
        );
        for (name, leans_on) in CRATES {
            root.push_str(&format!("{name} = {{ path = \"crates/{name}\" }}\n"));
            let lines: Vec<String> = leans_on
                .iter()
                .map(|on| format!("{on}.workspace = true\n"))
                .collect();
            fixture.write(
                &format!("crates/{name}/Cargo.toml"),
                &member(name, &lines.concat()),
            )?;
            fixture.write(&format!("crates/{name}/src/lib.rs"), NAMES_ALL)?;
        }
        fixture.write("Cargo.toml", &format!("{root}\n{lints}"))?;
        fixture.write(".gitignore", "/target\n")?;
        for settings in ["clippy.toml", "rustfmt.toml"] {
            std::fs::copy(real.join(settings), fixture.path(settings))?;
        }
        fixture.run("git", &["init", "--quiet"])?;
        Ok(fixture)
    }

    /// The place of a file of the workspace.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Writes a file and the folders above it.
    pub(crate) fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().context("a file lies in a folder")?)?;
        std::fs::write(&path, text).with_context(|| format!("write {file}"))
    }

    /// Adds lines to the end of a file.
    pub(crate) fn append(&self, file: &str, text: &str) -> Result<()> {
        let before = std::fs::read_to_string(self.path(file))?;
        self.write(file, &format!("{before}{text}"))
    }

    /// Adds a line to the list of the workspace's dependencies.
    pub(crate) fn depend(&self, line: &str) -> Result<()> {
        let before = std::fs::read_to_string(self.path("Cargo.toml"))?;
        self.write(
            "Cargo.toml",
            &before.replacen(
                "[workspace.dependencies]\n",
                &format!("[workspace.dependencies]\n{line}\n"),
                1,
            ),
        )
    }

    /// Runs a command in the workspace, which must succeed.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Result<Output> {
        let output = self.command(program).args(arguments).output()?;
        ensure!(
            output.status.success(),
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(output)
    }

    /// The breaches that `check --fast` prints: what compiles nothing.
    pub(crate) fn breaches(&self) -> Result<Vec<String>> {
        self.check(&["--fast"])
    }

    /// The breaches that the whole check prints.
    pub(crate) fn all_breaches(&self) -> Result<Vec<String>> {
        self.check(&[])
    }

    /// The breaches that the whole check finds when it compiles for the tests as well.
    pub(crate) fn breaches_of_build(&self) -> Result<Vec<String>> {
        self.check(&["--build"])
    }

    /// Runs the check; its exit code must say whether there are breaches.
    fn check(&self, arguments: &[&str]) -> Result<Vec<String>> {
        self.run("cargo", &["generate-lockfile", "--quiet"])?;
        let root = self
            .folder
            .path()
            .to_str()
            .context("the temporary folder is UTF-8")?;
        let output = self
            .command(env!("CARGO_BIN_EXE_xtask"))
            .arg("check")
            .args(arguments)
            .args(["--root", root])
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let last = lines.pop().unwrap_or_default();
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(
            last.starts_with("check: "),
            "the check did not end: {text}{complaint}"
        );
        ensure!(
            output.status.success() == lines.is_empty(),
            "exit {} after: {text}{complaint}",
            output.status
        );
        Ok(lines)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // Cargo's own folder is the workspace's, so that a test leaves nothing behind in that of the user.
        command
            .current_dir(self.folder.path())
            .env("CARGO_HOME", self.folder.path().join("target/home"))
            .env_remove("CARGO_TARGET_DIR");
        command
    }
}

/// The manifest of a crate that keeps every rule.
pub(crate) fn member(name: &str, dependencies: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\nlicense = \"Apache-2.0\"\n\n\
         [lints]\nworkspace = true\n\n[dependencies]\n{dependencies}"
    )
}
