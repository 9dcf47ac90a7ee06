//! The files of the workspace that the checks read: tracked ones and new ones that git does not ignore.

use std::{
    path::{Component, Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

/// All text files of the workspace.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The workspace's folder.
    pub(crate) root: PathBuf,
    /// The files, in the order of their paths.
    pub(crate) files: Vec<File>,
}

/// One text file.
#[derive(Debug)]
pub(crate) struct File {
    /// Path relative to the root, with `/` between its parts.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
}

impl File {
    /// Whether it is Rust source.
    pub(crate) fn is_rust(&self) -> bool {
        has_ending(&self.path, "rs")
    }

    /// The line, from 1, of the first line for which `wanted` holds; 1 when there is none.
    pub(crate) fn line_where(&self, wanted: impl Fn(&str) -> bool) -> usize {
        self.text.lines().position(wanted).map_or(1, |index| index + 1)
    }
}

/// Whether the path ends with `.ending`.
pub(crate) fn has_ending(path: &str, ending: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == ending)
}

/// The path without `..`: a file outside its crate's folder is named through that folder.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

impl Tree {
    /// Reads all files that git tracks or would track. Files that are not text are left out.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("run git ls-files")?;
        ensure!(
            listed.status.success(),
            "git ls-files: {}",
            String::from_utf8_lossy(&listed.stderr).trim()
        );
        let names = String::from_utf8(listed.stdout).context("a file name is not UTF-8")?;
        let mut files = Vec::new();
        for path in names.split_terminator('\0') {
            // A file that was removed but not yet from the index, and what is not text, has nothing to check.
            if let Ok(text) = std::fs::read_to_string(root.join(path)) {
                files.push(File {
                    path: path.to_owned(),
                    text,
                });
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);
        Ok(Self {
            root: root.to_owned(),
            files,
        })
    }

    /// The file at a path, if it is there.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The path of a file or folder relative to the root; the path itself when it lies elsewhere.
    pub(crate) fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned()
    }
}
