//! The process environment, read once and handed on as a value.
//!
//! What it leaves to others: what a variable means.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The variables and the working folder with which the process was started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    variables: BTreeMap<String, String>,
    folder: PathBuf,
}

impl Environment {
    /// Reads the environment of this process. Variables that are not UTF-8 are left out.
    pub(crate) fn read() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        // Without a working folder, relative paths stay as they are and fail where they are opened.
        let folder = std::env::current_dir().unwrap_or_default();
        Self { variables, folder }
    }

    /// Makes an environment for a test.
    #[cfg(test)]
    pub(crate) fn of(folder: &Path, variables: &[(&str, &str)]) -> Self {
        Self {
            variables: variables
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            folder: folder.to_owned(),
        }
    }

    /// A variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The variables that set a configuration key: `SOKE_SECTION__KEY`, as (variable, key, value). A further `__`
    /// is a further dot.
    pub(crate) fn settings(&self) -> impl Iterator<Item = (&str, String, &str)> {
        self.variables.iter().filter_map(|(name, value)| {
            let (section, key) = name.strip_prefix("SOKE_")?.split_once("__")?;
            let key = format!(
                "{}.{}",
                section.to_lowercase(),
                key.to_lowercase().replace("__", ".")
            );
            Some((name.as_str(), key, value.as_str()))
        })
    }

    /// The path as seen from the working folder.
    pub(crate) fn absolute(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// The user's home folder.
    pub(crate) fn home_folder(&self) -> Option<PathBuf> {
        self.get("HOME").map(PathBuf::from)
    }

    /// The folder of the user's own settings: `$XDG_CONFIG_HOME` or `~/.config`.
    pub(crate) fn settings_folder(&self) -> Option<PathBuf> {
        self.home_or("XDG_CONFIG_HOME", ".config")
    }

    /// The folder of the user's own data: `$XDG_DATA_HOME` or `~/.local/share`.
    pub(crate) fn data_folder(&self) -> Option<PathBuf> {
        self.home_or("XDG_DATA_HOME", ".local/share")
    }

    fn home_or(&self, variable: &str, below: &str) -> Option<PathBuf> {
        // The XDG base directory specification tells to ignore a path that is not absolute.
        let given = self
            .get(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        given.or_else(|| self.get("HOME").map(|home| Path::new(home).join(below)))
    }
}
