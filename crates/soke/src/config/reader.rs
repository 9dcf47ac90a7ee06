//! Takes each known key once, with its type, default and range, and collects every fault on the way.
//!
//! A key that nobody has taken at the end is unknown. What it leaves to others: the list of keys (`config`).

use std::{fmt::Display, ops::RangeInclusive};

use super::{
    Fault, Faults,
    layers::{Layers, Origin, Setting},
    show::Shown,
};

/// What an address to listen on looks like.
const ADDRESS: &str =
    "an address and port like `127.0.0.1:7443` or `[::1]:7443`, or a port alone for loopback";

/// Reads the layers key by key.
pub(super) struct Reader {
    layers: Layers,
    faults: Faults,
    shown: Vec<Shown>,
    known: Vec<&'static str>,
    addresses: Vec<(&'static str, rpc::ListenAddress)>,
}

impl Reader {
    /// Starts over the collected layers and the faults found so far.
    pub(super) fn new(layers: Layers, faults: Faults) -> Self {
        Self {
            layers,
            faults,
            shown: Vec::new(),
            known: Vec::new(),
            addresses: Vec::new(),
        }
    }

    /// Takes a text and makes a value of it.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        default: &str,
        want: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        self.checked(key, default, want, parse, |text| format!("{text:?}"))
    }

    fn checked<T>(
        &mut self,
        key: &'static str,
        default: &str,
        want: &str,
        parse: impl Fn(&str) -> Result<T, String>,
        as_toml: impl Fn(&str) -> String,
    ) -> T {
        let given = self
            .take(key)
            .and_then(|setting| match plain_text(&setting.value) {
                Some(text) => Some((text, setting.origin)),
                None => {
                    self.wrong(key, &setting, want);
                    None
                }
            });
        if let Some((text, origin)) = given {
            match parse(&text) {
                Ok(value) => {
                    self.show(key, &as_toml(&text), origin);
                    return value;
                }
                Err(what) => self.fault_at(key, what, want, &origin),
            }
        } else {
            self.show(key, &as_toml(default), Origin::Default);
        }
        parse(default).expect("the default of every key is valid: a test loads them all")
    }

    /// Takes a whole number within a range.
    pub(super) fn whole(&mut self, key: &'static str, default: u64, range: RangeInclusive<u64>) -> u64 {
        let want = format!("a whole number from {} to {}", range.start(), range.end());
        let parse = |text: &str| {
            let number: u64 = text
                .parse()
                .map_err(|_fault| format!("`{}` is no whole number", text.escape_debug()))?;
            if range.contains(&number) {
                Ok(number)
            } else {
                Err(format!("{number} is out of range"))
            }
        };
        self.checked(key, &default.to_string(), &want, parse, str::to_owned)
    }

    /// Takes an address to listen on.
    pub(super) fn address(&mut self, key: &'static str, default: &str) -> rpc::ListenAddress {
        let address = self.parsed(key, default, ADDRESS, listen_address);
        self.addresses.push((key, address));
        address
    }

    /// Refuses every address taken so far that others than this machine can reach.
    pub(super) fn keep_to_this_machine(&mut self, because: &str) {
        for (key, address) in std::mem::take(&mut self.addresses) {
            if !address.is_loopback() {
                self.fault(
                    key,
                    &format!("others can reach {address}, and {because}"),
                    "an address of this machine only",
                );
            }
        }
    }

    /// Takes true or false.
    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let parse = |text: &str| {
            text.parse()
                .map_err(|_fault| format!("`{}` is neither", text.escape_debug()))
        };
        self.checked(
            key,
            &default.to_string(),
            "`true` or `false`",
            parse,
            str::to_owned,
        )
    }

    /// Takes a list of texts; a variable gives them with commas between.
    pub(super) fn texts(
        &mut self,
        key: &'static str,
        want: &str,
        parse: impl Fn(&str) -> Result<String, String>,
    ) -> Vec<String> {
        let Some(setting) = self.take(key) else {
            self.show(key, "[]", Origin::Default);
            return Vec::new();
        };
        let Some(texts) = plain_list(&setting) else {
            self.wrong(key, &setting, want);
            return Vec::new();
        };
        let mut values = Vec::new();
        for text in &texts {
            match parse(text) {
                Ok(value) => values.push(value),
                Err(what) => self.fault_at(key, what, want, &setting.origin),
            }
        }
        self.show(key, &format!("{values:?}"), setting.origin);
        values
    }

    /// Takes a text that is never shown.
    pub(super) fn secret(&mut self, key: &'static str) -> Option<String> {
        let Some(setting) = self.take(key) else {
            self.show(key, "\"\"", Origin::Default);
            return None;
        };
        let toml::Value::String(text) = setting.value else {
            self.fault_at(key, "it is no text".to_owned(), "a text", &setting.origin);
            return None;
        };
        self.show(key, "(set, not shown)", setting.origin);
        Some(text).filter(|text| !text.is_empty())
    }

    /// Adds a fault that lies in how keys go together.
    pub(super) fn fault(&mut self, key: &str, what: &str, want: &str) {
        self.faults.add(Fault {
            key: key.to_owned(),
            what: what.to_owned(),
            want: want.to_owned(),
            place: String::new(),
        });
    }

    /// Ends the reading: what is left over is unknown.
    pub(super) fn finish(mut self) -> Result<Vec<Shown>, Faults> {
        for (key, setting) in std::mem::take(&mut self.layers.settings) {
            let want = nearest(&key, self.known.iter().copied()).map_or_else(
                || "a key that `soke config show` lists".to_owned(),
                |near| format!("perhaps `{near}`"),
            );
            self.fault_at(&key, "there is no such key".to_owned(), &want, &setting.origin);
        }
        if self.faults.is_empty() {
            Ok(self.shown)
        } else {
            Err(self.faults)
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Setting> {
        self.known.push(key);
        self.layers.settings.remove(key)
    }

    fn show(&mut self, key: &'static str, value: &str, origin: Origin) {
        self.shown.push(Shown {
            key,
            value: value.to_owned(),
            origin,
        });
    }

    fn wrong(&mut self, key: &'static str, setting: &Setting, want: &str) {
        let what = format!("{} stands there", type_in_words(&setting.value));
        self.fault_at(key, what, want, &setting.origin);
    }

    fn fault_at(&mut self, key: &str, what: String, want: impl Display, origin: &Origin) {
        self.faults.add(Fault {
            key: key.to_owned(),
            what,
            want: want.to_string(),
            place: origin.to_string(),
        });
    }
}

fn plain_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => {
            None
        }
    }
}

fn plain_list(setting: &Setting) -> Option<Vec<String>> {
    match (&setting.value, &setting.origin) {
        (toml::Value::Array(values), _) => values
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect(),
        (toml::Value::String(text), Origin::Variable(_) | Origin::Flag(_)) => Some(
            text.split(',')
                .map(|part| part.trim().to_owned())
                .filter(|part| !part.is_empty())
                .collect(),
        ),
        _other => None,
    }
}

const fn type_in_words(value: &toml::Value) -> &'static str {
    match value {
        toml::Value::String(_) => "a text",
        toml::Value::Integer(_) => "a whole number",
        toml::Value::Float(_) => "a number with a fraction",
        toml::Value::Boolean(_) => "true or false",
        toml::Value::Datetime(_) => "a date",
        toml::Value::Array(_) => "a list",
        toml::Value::Table(_) => "a table",
    }
}

fn listen_address(text: &str) -> Result<rpc::ListenAddress, String> {
    text.parse()
        .map_err(|_fault: rpc::Error| format!("`{}` is no address and port", text.escape_debug()))
}

/// The known key that is most like `key`, where one is like it at all.
fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|other| (distance(key, other), other))
        .min()
        .filter(|&(steps, _other)| steps <= 3)
        .map(|(_steps, other)| other)
}

/// How many single-character changes lie between two texts (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, c) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, &d) in right.iter().enumerate() {
            let changed = diagonal + usize::from(c != d);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}
