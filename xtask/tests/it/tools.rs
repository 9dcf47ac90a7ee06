//! `tests/tools/install` where Go is missing, too old, new enough, or broken: run for real on a copy of the tree's part of
//! it, with programs in the place of Go and of what else it would install from the network.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

/// What stands in for Go of this version: it knows its version and, where it is not too old, builds what it is told to.
fn go(version: &str, ways: &str) -> String {
    format!(
        "#!/bin/sh\ncase $1 in\nversion) echo go version go{version} linux/amd64 ;;\n{ways}\n\
         *) echo go: no such command >&2; exit 2 ;;\nesac\n"
    )
}

/// As an older Go that may not fetch a newer one.
const TOO_OLD: &str = "list | build) echo 'go: go.mod requires go >= 1.26.0 (running an older one; GOTOOLCHAIN=local)' >&2; exit 1 ;;";
/// As one that can do everything.
const BUILDS: &str = "list) ;;
build) for out; do case $out in */go/) for name in grpcurl client peer; do echo new > $out/$name; done ;; esac; done ;;";
/// As one to which the network is closed.
const BREAKS: &str = "list) ;;\nbuild) echo 'go: no network' >&2; exit 1 ;;";

/// The part of a tree that it looks at; everything but Go's programs is there already.
struct Tree(TempDir);

impl Tree {
    fn new() -> Result<Self> {
        let tree = Self(tempfile::tempdir()?);
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let script = fs::read_to_string(root.join("tests/tools/install"))?;
        tree.program("tests/tools/install", &script)?;
        tree.program("tests/tools/stubs", "#!/bin/sh\n")?;
        for name in ["go.mod", "go.sum", "peer.go"] {
            let path = format!("tests/interop/peers/go/{name}");
            tree.write(&path, &fs::read_to_string(root.join(&path))?)?;
        }
        let version = |name: &str| -> Result<String> {
            let line = script
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{name}=")));
            Ok(line.with_context(|| format!("no version of {name}"))?.to_owned())
        };
        let js = format!(
            "grpc-js {}, proto-loader {}",
            version("grpc_js")?,
            version("proto_loader")?
        );
        for (folder, stamp) in [
            ("venv", format!("grpcio {}", version("grpcio")?)),
            ("npm", format!("buf {}", version("buf")?)),
            ("ethers", format!("ethers {}", version("ethers")?)),
            ("grpc-js", js),
        ] {
            tree.write(&format!("target/tools/{folder}/stamp"), &stamp)?;
        }
        for name in ["strace", "python3", "npm", "git", "ls"] {
            tree.program(&format!("programs/{name}"), "#!/bin/sh\n")?;
        }
        Ok(tree)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.path(path);
        fs::create_dir_all(path.parent().context("a folder")?)?;
        Ok(fs::write(path, text)?)
    }

    fn program(&self, path: &str, text: &str) -> Result<()> {
        self.write(path, text)?;
        Ok(fs::set_permissions(
            self.path(path),
            fs::Permissions::from_mode(0o755),
        )?)
    }

    /// Runs it where this Go is, or none.
    fn install(&self, go: Option<&str>) -> Result<Output> {
        match go {
            Some(text) => self.program("programs/go", text)?,
            None if self.path("programs/go").exists() => fs::remove_file(self.path("programs/go"))?,
            None => {}
        }
        // The system's own folders, but for Go's, of which none may be found.
        let system = self.path("system");
        if !system.exists() {
            fs::create_dir(&system)?;
            for name in [
                "cat",
                "cut",
                "dirname",
                "echo",
                "flock",
                "head",
                "id",
                "ln",
                "mkdir",
                "printf",
                "rm",
                "sed",
                "sh",
                "sha256sum",
                "sort",
                "timeout",
            ] {
                let there = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(name));
                let there = there.iter().find(|path| path.exists());
                std::os::unix::fs::symlink(there.with_context(|| name.to_owned())?, system.join(name))?;
            }
        }
        let path = format!("{}:{}", self.path("programs").display(), system.display());
        let mut command = Command::new(self.path("tests/tools/install"));
        Ok(command.env_clear().env("PATH", path).output()?)
    }

    /// Runs it to a good end, and gives what it says.
    fn good(&self, go: Option<&str>) -> Result<String> {
        let output = self.install(go)?;
        let said = String::from_utf8(output.stderr)?;
        ensure!(output.status.success(), "{}: {said}", output.status);
        Ok(said)
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok()
    }
}

#[test]
fn where_go_is_missing_or_too_old_its_programs_are_left_out_and_that_is_said() -> Result<()> {
    let tree = Tree::new()?;
    let old = go("1.22.2", TOO_OLD);
    for (go, why) in [
        (None, "there is no Go"),
        (Some(old.as_str()), "Go is 1.22.2 here, older than 1.26.0"),
    ] {
        let said = tree.good(go)?;
        assert_eq!(
            said,
            format!("tests/tools/install: {why}: grpcurl and grpc-go's programs are left out of the tests\n")
        );
        assert_eq!(tree.read("target/tools/go/left-out"), Some(format!("{why}\n")));
        assert_eq!(tree.good(go)?, said, "each time");
    }
    Ok(())
}

#[test]
fn a_go_that_is_new_enough_or_fetches_one_that_is_builds_its_programs() -> Result<()> {
    for version in ["1.26.0", "1.26.8", "1.27", "1.22.2"] {
        let tree = Tree::new()?;
        tree.good(None)?;
        assert_eq!(tree.good(Some(&go(version, BUILDS)))?, "");
        assert_eq!(tree.read("target/tools/go/left-out"), None, "{version}");
        assert_eq!(tree.read("target/tools/go/peer").as_deref(), Some("new\n"));
        assert_eq!(tree.read("target/tools/bin/grpcurl").as_deref(), Some("new\n"));
    }
    Ok(())
}

#[test]
fn what_was_built_from_the_same_sources_stays_and_from_others_goes() -> Result<()> {
    let tree = Tree::new()?;
    tree.good(Some(&go("1.26.8", BUILDS)))?;
    assert_eq!(tree.good(Some(&go("1.22.2", TOO_OLD)))?, "");
    assert!(tree.read("target/tools/go/peer").is_some());
    tree.write("tests/interop/peers/go/peer.go", "package main\n")?;
    assert!(tree.good(Some(&go("1.22.2", TOO_OLD)))?.contains("left out"));
    assert_eq!(tree.read("target/tools/go/peer"), None);
    assert_eq!(tree.read("target/tools/bin/grpcurl"), None);
    Ok(())
}

#[test]
fn a_build_that_fails_is_no_reason_to_leave_anything_out() -> Result<()> {
    let tree = Tree::new()?;
    let output = tree.install(Some(&go("1.26.8", BREAKS)))?;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr)?;
    assert!(
        said.contains("go build of tests/interop/peers/go fails"),
        "{said}"
    );
    assert_eq!(tree.read("target/tools/go/left-out"), None);
    Ok(())
}
