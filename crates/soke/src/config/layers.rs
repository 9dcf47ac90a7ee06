//! The layers of settings, one over the other: file, environment, flags.
//!
//! What it leaves to others: types, ranges and defaults (`reader`).

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use super::{Environment, Fault, Faults, Flags};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    File(PathBuf),
    Variable(String),
    Flag(&'static str),
}

/// One value as it was given. Variables and flags give text.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) value: toml::Value,
    pub(super) origin: Origin,
}

/// Every given setting by its key `section.key`; later layers have replaced earlier ones.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub(super) settings: BTreeMap<String, Setting>,
}

impl Layers {
    /// Collects all layers. What cannot be read at all becomes a fault.
    pub(super) fn collect(
        flags: &Flags,
        environment: &Environment,
        data: &Path,
        faults: &mut Faults,
    ) -> Layers {
        let mut layers = Layers::default();
        layers.read_file(flags, environment, data, faults);
        for (variable, key, value) in environment.settings() {
            let origin = Origin::Variable(variable.to_owned());
            layers.put(key, toml::Value::String(value.to_owned()), origin);
        }
        if let Some(listen) = &flags.listen {
            let value = toml::Value::String(listen.clone());
            layers.put("native.listen".to_owned(), value, Origin::Flag("--listen"));
        }
        layers
    }

    fn read_file(&mut self, flags: &Flags, environment: &Environment, data: &Path, faults: &mut Faults) {
        let named = flags
            .config
            .as_deref()
            .or_else(|| environment.get("SOKE_CONFIG").map(Path::new));
        let path = named.map_or_else(|| data.join("soke.toml"), |path| environment.absolute(path));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound && named.is_none() => return,
            Err(fault) => {
                faults.add(Fault {
                    key: path.display().to_string(),
                    what: format!("the file cannot be read: {}", fault.kind()),
                    want: "a readable TOML file".to_owned(),
                    place: named
                        .map_or_else(String::new, |_path| "named by --config or SOKE_CONFIG".to_owned()),
                });
                return;
            }
        };
        match text.parse::<toml::Table>() {
            Ok(table) => self.put_table("", table, &path),
            Err(fault) => faults.add(Fault {
                key: path.display().to_string(),
                what: format!("{}{}", fault.message(), line_of(&text, fault.span())),
                want: "TOML like `[native]` and `listen = \"127.0.0.1:7443\"`".to_owned(),
                place: String::new(),
            }),
        }
    }

    fn put_table(&mut self, above: &str, table: toml::Table, path: &Path) {
        for (key, value) in table {
            let key = if above.is_empty() {
                key
            } else {
                format!("{above}.{key}")
            };
            if let toml::Value::Table(below) = value {
                self.put_table(&key, below, path);
            } else {
                self.put(key, value, Origin::File(path.to_owned()));
            }
        }
    }

    fn put(&mut self, key: String, value: toml::Value, origin: Origin) {
        self.settings.insert(key, Setting { value, origin });
    }
}

fn line_of(text: &str, span: Option<std::ops::Range<usize>>) -> String {
    let before = span.and_then(|span| text.get(..span.start));
    before.map_or_else(String::new, |before| {
        format!(" in line {}", before.matches('\n').count() + 1)
    })
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Variable(name) => f.write_str(name),
            Origin::Flag(name) => f.write_str(name),
        }
    }
}
